"""The made-up world: people, lists, mailings, events, files and jobs. It knows no API."""
