"""The OpenAPI document of the imitated API."""
