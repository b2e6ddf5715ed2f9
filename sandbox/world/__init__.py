"""The fictional world: contacts, lists, campaigns, events, files and jobs. It knows no API."""
