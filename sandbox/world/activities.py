"""Bulk jobs: imports, exports and clean-ups."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Pools, stable_uuid

TYPES: Final = (
    "ADD_CONTACTS",
    "EXPORT_CONTACTS",
    "REMOVE_CONTACTS_FROM_LISTS",
    "CLEAR_CONTACTS_FROM_LISTS",
)
_STATUSES: Final = (
    "COMPLETE",
    "COMPLETE",
    "ERROR",
    "RUNNING",
    "QUEUED",
    "PENDING",
    "UNCONFIRMED",
    "CANCELLED",
    "COMPLETE",
    "COMPLETE",
)
_STARTED: Final = frozenset({"RUNNING", "COMPLETE", "ERROR"})
_ENDED: Final = frozenset({"COMPLETE", "ERROR"})

_KEPT_JOBS: Final = 50
_KEPT_FOR: Final = 14 * timestamps.DAY
_FAULTS_MOST: Final = 4


@dataclass(slots=True)
class Activity:
    """One bulk job.

    Attributes:
        faults: Errors of single lines, as (line, e-mail address, message).
        early: Faults are sent as objects by jobs of the early kind and as plain text by others.
    """

    id: str
    type: str
    status: str
    created: int
    started: int | None = None
    finished: int | None = None
    contacts: int = 0
    file_name: str | None = None
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    warnings: list[tuple[int, str, str]] = field(default_factory=list)
    early: bool = False

    @property
    def uuid(self) -> str:
        """The id of the same job in v3."""
        return stable_uuid("job", self.id)


class Activities:
    """The bulk jobs of an account, newest first."""

    def __init__(self, random: FakeRandom, names: Pools, count: int, now: int) -> None:
        """Create the jobs an account begins with, spread over the time that jobs are kept.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            count: Number of jobs.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self._made = 0
        self._begin = now
        self.rows: list[Activity] = []
        step = (_KEPT_FOR - timestamps.DAY) // max(count, 1)
        for place in range(count, 0, -1):
            created = now - place * step + random.between(0, step // 2)
            self.make(created, _STATUSES[(count - place) % len(_STATUSES)])

    def make(self, created: int, status: str = "PENDING") -> Activity:
        """Create another job."""
        random = self._random
        early = self._made % 2 == 0
        type_ = TYPES[self._made % len(TYPES)]
        self._made += 1
        made = Activity(
            id=f"a07e{random.letters(15)}" if early else random.uuid(),
            type=type_,
            status=status,
            created=created if early else timestamps.whole_second(created),
            early=early,
        )
        if type_ == "ADD_CONTACTS":
            made.file_name = f"upload_{made.id[:8]}.csv"
        if status in _STARTED:
            made.started = made.created + random.between(1, 60) * timestamps.SECOND
        if status in _ENDED:
            self._end(made, (made.started or created) + random.between(1, 600) * timestamps.SECOND)
        self.rows.insert(0, made)
        return made

    def _end(self, job: Activity, finished: int) -> None:
        random = self._random
        job.finished = finished
        job.contacts = random.between(1, 5000)
        if job.type == "EXPORT_CONTACTS":
            job.file_name = (
                f"https://api.constantcontact.com/v2/activities/exportfiles/{job.id}.csv"
            )
            return
        most = _FAULTS_MOST if job.status == "ERROR" else 1
        job.faults = [self._fault(random) for _ in range(random.between(most // 2, most))]
        if random.chance(0.3):
            job.warnings = [self._fault(random)]

    def _fault(self, random: FakeRandom) -> tuple[int, str, str]:
        email = f"{random.pick(self._names.first_names).slug}{random.between(1, 999)}@example.com"
        message = random.pick(("Invalid birthday", "Invalid email address", "Not on any list"))
        return random.between(2, 5000), email, message

    def finish(self, count: int, now: int) -> list[Activity]:
        """Complete the oldest unfinished jobs."""
        open_jobs = [job for job in reversed(self.rows) if job.finished is None]
        done = [job for job in open_jobs if job.status != "CANCELLED"][:count]
        for job in done:
            job.status = "COMPLETE"
            job.started = job.started or now
            self._end(job, now)
        return done

    def kept(self) -> list[Activity]:
        """Return the jobs that the API still returns: the last 50 of the last 14 days.

        The days are counted back from the newest job and not from the clock's time, so that an
        account that begins in the past keeps its jobs.
        """
        latest = max([self._begin, *(job.created for job in self.rows)])
        return [job for job in self.rows if job.created > latest - _KEPT_FOR][:_KEPT_JOBS]
