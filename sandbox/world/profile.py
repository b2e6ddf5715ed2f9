"""The owner of the account, and its email addresses."""

from typing import Any

from sandbox.world.making import STATES, Dice, Pools


class Profile:
    """The owner of the account."""

    def __init__(self, dice: Dice, names: Pools) -> None:
        """Make up an organization with three addresses to send from.

        Args:
            dice: Where chance comes from.
            names: The account's names and places.
        """
        state, code = dice.pick(STATES)
        self.organization = dice.pick(names.companies)
        self.address = {
            "city": dice.pick(names.cities),
            "line1": f"{dice.between(1, 999)} {dice.pick(names.streets)}",
            "line2": f"Suite {dice.between(1, 99)}",
            "postal_code": f"{dice.between(1000, 99999):05d}",
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
            "first_name": dice.pick(names.first_names).text,
            "last_name": dice.pick(names.last_names).text,
            "email": self.emails[0]["email_address"],
            "phone": dice.phone().replace("-", ""),
            "company_logo": "",
            "country_code": "US",
            "state_code": code,
            "organization_addresses": [self.address],
        }
