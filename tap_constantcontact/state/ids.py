"""Short forms of ids in a state."""

from __future__ import annotations

import base64
import hashlib

SHORT_ID_LENGTH = 8


def short_id(parent_id: str) -> str:
    """Return a hash of an id, in 8 characters."""
    hashed = hashlib.blake2b(parent_id.encode(), digest_size=SHORT_ID_LENGTH * 6 // 8).digest()
    return base64.urlsafe_b64encode(hashed).decode()


def fingerprint(text: str) -> str:
    """Return a hash of something that a state must not contain, such as a token."""
    return hashlib.sha256(text.strip().lower().encode()).hexdigest()[:24]
