"""HTTP over the core: settings, authorisation, routes, pages, metrics and the server."""
