"""Who may ask the edge: no web page of another site, no other user of the machine."""
