"""The owner of the account, and its email addresses."""

from typing import Any

from sandbox.world.fake_data import STATES, FakeRandom, Pools


class Profile:
    """The owner of the account."""

    def __init__(self, random: FakeRandom, names: Pools) -> None:
        """Create an organization with three addresses to send from.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
        """
        state, code = random.pick(STATES)
        self.organization = random.pick(names.companies)
        self.address = {
            "city": random.pick(names.cities),
            "line1": f"{random.between(1, 999)} {random.pick(names.streets)}",
            "line2": f"Suite {random.between(1, 99)}",
            "postal_code": f"{random.between(1000, 99999):05d}",
            "country_code": "US",
            "state_code": code,
            "state": state,
        }
        self.emails = [
            {"email_address": "owner@example.com", "status": "CONFIRMED"},
            {"email_address": "news@example.com", "status": "CONFIRMED"},
            {"email_address": "events@example.com", "status": "UNCONFIRMED"},
        ]
        self.info: dict[str, Any] = {
            "website": "https://www.example.com",
            "organization_name": self.organization,
            "time_zone": "US/Eastern",
            "first_name": random.pick(names.first_names).text,
            "last_name": random.pick(names.last_names).text,
            "email": self.emails[0]["email_address"],
            "phone": random.phone().replace("-", ""),
            "company_logo": "",
            "country_code": "US",
            "state_code": code,
            "organization_addresses": [self.address],
        }
