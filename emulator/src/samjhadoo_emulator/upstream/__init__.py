"""The upstream: what serves every AWS request that no live service owns. moto in process, or any URL."""
