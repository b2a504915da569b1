"""What a bot that registers says about itself, and what of it is taken."""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from sakimori_chat.domain.folding import folded, unleeted
from sakimori_chat.domain.names import fault_of
from sakimori_chat.domain.rooms import is_room_name
from sakimori_chat.domain.text import MAX_NAME_CHARACTERS, clean_text

MIN_NAME_CHARACTERS: Final = 2
MAX_ROOMS: Final = 20
MAX_CONTACT_CHARACTERS: Final = 200


class RegistrationError(ValueError):
    """A registration cannot be taken; the message says what to change."""


class RegistrationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a registration. `contact` is for operators alone: an address, a page."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    rooms: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=32)], ...], msgspec.Meta(max_length=MAX_ROOMS)]
    contact: Annotated[str, msgspec.Meta(max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Applicant:
    """A registration that may be taken: the name as it will be shown, and what other names are compared with."""

    name: str
    look: str
    rooms: frozenset[str]
    contact: str


def applicant_of(request: RegistrationRequest) -> Applicant:
    """Clean and check what a bot says about itself. Raises RegistrationError."""
    name, contact = clean_text(request.name), clean_text(request.contact)
    if not MIN_NAME_CHARACTERS <= len(name) <= MAX_NAME_CHARACTERS:
        raise RegistrationError(f"A name has {MIN_NAME_CHARACTERS} to {MAX_NAME_CHARACTERS} characters.")
    if fault_of(name) is not None:
        raise RegistrationError("Choose another name: this one looks like a role's, or mixes alphabets.")
    if not request.rooms or not all(map(is_room_name, request.rooms)):
        raise RegistrationError(f"Ask for 1 to {MAX_ROOMS} rooms, by the names that their addresses have.")
    if len(contact) > MAX_CONTACT_CHARACTERS:
        raise RegistrationError(f"A contact has at most {MAX_CONTACT_CHARACTERS} characters.")
    return Applicant(name, look_of(name), frozenset(request.rooms), contact)


def look_of(name: str) -> str:
    """Say what a name looks like: two that people would take for one another have the same look."""
    return "".join(filter(str.isalnum, unleeted(folded(name)))) or name
