"""HTTP: session, rate limit, retries and error responses. Knows no API and no stream."""
