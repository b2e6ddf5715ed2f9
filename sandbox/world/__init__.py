"""The fictional world, the same for both APIs: contacts, lists, campaigns, events, files, jobs."""
