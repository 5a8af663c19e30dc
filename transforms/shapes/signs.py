"""The table of signatures in words, for people."""

from transforms.shapes.signatures import SIGNATURES, Want


def described(name: str) -> list[str]:
    """What the records of a shape have, in words; one text for each of its signatures. None for a user's mapping."""
    return [
        ", ".join(f"{path} {_in_words(want)}" for path, want in each.items() if want != "-")
        for each in SIGNATURES.get(name, ())
    ]


def _in_words(want: Want) -> str:
    if isinstance(want, tuple):
        return f"is {want[0]}, ..." if len(want) > 3 else f"is {' or '.join(want)}"
    known = {"*": "is there", "?": "is there", "{}": "is an object", "[]": "is a list", "": "is empty"}
    if want in known or not want.endswith("*"):
        return known.get(want, f"is {want}")
    return f"does not begin with {want[1:-1]}" if want[0] == "!" else f"begins with {want[:-1]}"
