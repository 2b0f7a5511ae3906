"""All that strangers reach over HTTP."""
