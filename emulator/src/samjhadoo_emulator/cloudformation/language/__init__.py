"""The language of templates: their text, parameters, functions, conditions, rules and schemas."""
