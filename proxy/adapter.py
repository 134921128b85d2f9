"""The contract for integrators: everything that an adapter imports.

An adapter speaks to one kind of CRM and does nothing else. It never retries, caches, limits its time or
logs above debug: the proxy does that around it. It is called concurrently, and may be cancelled at any
await.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Protocol, Union, get_args, get_origin, runtime_checkable

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, model_validator

from proxy.errors import AdapterError, Unavailable
from proxy.keys import By, CustomerNumber, Key
from proxy.model import Contact, Scalar, as_text
from proxy.phone import PhoneNumber
from proxy.secret_files import read_secret_file

__all__ = [
    "Adapter",
    "AdapterConfig",
    "AdapterError",
    "By",
    "Completing",
    "Contact",
    "CustomerNumber",
    "Enriching",
    "Forgetting",
    "Inspectable",
    "Inspection",
    "Key",
    "PhoneNumber",
    "Pingable",
    "Rehearsable",
    "Rehearsed",
    "Replayable",
    "Scalar",
    "SecretStr",
    "Unavailable",
    "as_text",
]


class AdapterConfig(BaseModel):
    """The options of one source, from `[sources.options]`. Subclass it, with one attribute per option.

    Unknown options are refused. A secret is declared as `SecretStr`; for each secret `x` the TOML may
    have `x_file` in its place: a file, relative to the TOML's folder, whose stripped content is the secret. So it may
    for the keys of a table of secrets, `dict[str, SecretStr]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, options: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - raw input of a validator
        if not isinstance(options, Mapping):
            return options
        context = info.context or {}
        folder, files = Path(context.get("folder", ".")), context.get("secret_files", [])
        read = dict(options)
        for attribute, model_field in cls.model_fields.items():
            name = model_field.alias or attribute
            if _is_secret(model_field.annotation):
                files.append(read_secret_file(read, name, folder))
            elif _is_table_of_secrets(model_field.annotation) and isinstance(read.get(name), Mapping):
                table = read[name] = dict(read[name])
                for file in [key for key in table if isinstance(key, str) and key.endswith("_file")]:
                    files.append(read_secret_file(table, file.removesuffix("_file"), folder))
        return read


class Adapter(ABC):
    """Asks one CRM about one number.

    Subclass it, set `Config`, and write `__init__` and `lookup`.
    """

    Config: ClassVar[type[AdapterConfig]] = AdapterConfig
    asked_by: ClassVar[frozenset[By]] = frozenset({By.PHONE_NUMBER})
    """What its CRM can be asked by: the most that the `by` of a source may be"""
    completes: bool = True
    """Set to False where `complete` would ask for nothing, whoever calls: lookups take less time then"""

    @abstractmethod
    def __init__(self, config: Any) -> None:  # noqa: ANN401 - each adapter narrows it to its own Config
        """Keep the configuration. Cheap, and without I/O: `tanima check` does it too."""

    async def open(self) -> None:  # noqa: B027 - an adapter without connections needs none
        """Make ready what lookups share, such as a connection pool. Must succeed while the CRM is down.

        Called once. Nothing is looked up, enriched or completed before it has ended, however long that takes; after
        it has failed, which is reported as a bug, the adapter is asked all the same.
        """

    @abstractmethod
    async def lookup(self, key: Any) -> Contact | Sequence[Contact] | None:  # noqa: ANN401 - narrowed, as asked_by is
        """Ask the CRM about `key`: a PhoneNumber, or a CustomerNumber where `asked_by` and the source's `by` have it.

        Returns a contact; or a sequence, where the CRM has several for the number, the best first (the
        source's `several` decides); or None, or an empty sequence, when the CRM *said* that it does not
        know the number. Raises Unavailable for trouble that may pass, the only thing that is tried again;
        AdapterError for other trouble. Anything else that is raised counts as a bug in the adapter.
        """

    async def close(self) -> None:  # noqa: B027 - see open
        """Give back what `open` took. Called once, after the last lookup; also when `open` failed."""


@runtime_checkable
class Pingable(Protocol):
    """An adapter that can tell whether its CRM answers. It is shown to the operator, and gates nothing."""

    async def ping(self) -> None:
        """Return when the CRM answers. Raises like `lookup`."""


@runtime_checkable
class Enriching(Protocol):
    """An adapter that can add fields to what another source has found: `role = "enrich"`."""

    async def enrich(self, contact: Contact) -> Contact:
        """Return `contact` with more fields: `contact.with_fields({...})`.

        Fields that the contact has already keep their values. Raises like `lookup`.
        """


@runtime_checkable
class Completing(Protocol):
    """An adapter that asks further about the contact that was chosen, such as for its owner's extension.

    It is written as an async generator, with `yield` and never `return contact`:

        async def complete(self, contact: Contact, key: PhoneNumber) -> AsyncIterator[Contact]:
            extension = await self._extension_of(contact.value("owner"))
            contact = contact.with_fields({"extension": extension})
            yield contact
    """

    def complete(self, contact: Contact, key: Any) -> AsyncIterator[Contact]:  # noqa: ANN401 - as that of `lookup`
        """Yield the contact with more and more fields; nothing when there is nothing to add.

        Until the first is yielded, the contact is of no use: if that takes too long or fails, the lookup has
        failed. After it, the contact is answered with what has been added by then. Raises like `lookup`.
        """


@runtime_checkable
class Forgetting(Protocol):
    """An adapter that keeps something of its own about contacts, for `tanima erase`."""

    def forget(self, number: PhoneNumber) -> None:
        """Drop all that is kept and that may be about a number; what is being asked for must not bring it back."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A request that a lookup would send."""

    what: str
    """What it is for"""
    request: str
    """As it would be sent, with its secrets masked"""


@runtime_checkable
class Rehearsable(Protocol):
    """An adapter that can tell what it would send, for `tanima route --dry-run`."""

    def rehearse(self, key: Any) -> Sequence[Rehearsed]:  # noqa: ANN401 - as that of `lookup`
        """Return the requests of a lookup of `key`, in their order. Sends nothing."""


@runtime_checkable
class Replayable(Protocol):
    """An adapter that can read answers that were recorded, for `tanima route --replay`."""

    def replaying(self, recordings: Sequence[bytes]) -> Adapter:
        """Return an adapter whose requests are answered by `recordings`, in their order, and that asks nobody.

        Raises ValueError, with what is allowed, for a recording that it cannot read.
        """


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an adapter found when it looked at its CRM as it is now."""

    fields: frozenset[str] | None
    """The fields that its contacts have; None when that cannot be known before a problem is mended"""
    needs: frozenset[str] = frozenset()
    """The fields that it needs of a contact, to add others to it"""
    problems: Sequence[str] = ()
    """What must be mended, each as `option: what is wrong - allowed: what is allowed`"""
    notes: Sequence[str] = ()
    """What is good to know, each as `option: what`"""
    seconds: float = 0.0
    """What a lookup of an unknown number took"""


@runtime_checkable
class Inspectable(Protocol):
    """An adapter that can look whether its options fit the CRM, for `tanima check --live`."""

    async def inspect(self, key: Any) -> Inspection:  # noqa: ANN401 - as that of `lookup`
        """Ask the CRM as `lookup` does, for a key that nobody has. Raises like `lookup`."""


def _is_secret(annotation: Any) -> bool:  # noqa: ANN401 - an annotation can be anything
    choices = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else ()
    return SecretStr in (annotation, *choices)


def _is_table_of_secrets(annotation: Any) -> bool:  # noqa: ANN401 - an annotation can be anything
    return get_origin(annotation) is dict and get_args(annotation)[1] is SecretStr
