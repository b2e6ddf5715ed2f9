"""The one way out: sessions, pace, retries and what answers mean. Knows no API and no stream."""
