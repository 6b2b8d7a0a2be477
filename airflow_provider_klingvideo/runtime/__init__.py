"""Where everything is put together: connection, configuration, records and the workflow's parts."""
