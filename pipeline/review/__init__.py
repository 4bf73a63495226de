"""The review page: labels looked at and mended in the browser, served to this machine alone."""
