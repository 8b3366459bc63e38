"""Keys go in and never come out: not in an error, wherever they were written, nor in a repr."""

from __future__ import annotations

import base64
import random
import re
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ScenarioError
from saactors.scenario import Scenario, load_scenario

Load = Callable[[str], Scenario]

# Keys as people write them, all of the size of a real one. Hypothesis only seeds their source: its
# own simplest bytes are zeroes, which occur in any text.
keys = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size),
    st.integers(0, 2**32),
    st.sampled_from([16, 20, 28, 36]),
)
forms = st.sampled_from(
    [
        lambda key: f"0x{key.hex()}",
        lambda key: key.hex(),
        lambda key: key.hex().upper(),
        lambda key: key.hex(":"),
        lambda key: key.hex("-", 4),
        lambda key: key.hex(" ", 2),
        lambda key: key.hex("_", 8),
        lambda key: base64.b32encode(key).decode(),
        lambda key: base64.b64encode(key).decode(),
        lambda key: base64.urlsafe_b64encode(key).decode(),
    ]
)
SA = "[[sas]]\nname = 'one'\nspi = 4096\nmode = 'transport'\n"
places = st.sampled_from(
    [
        f"{SA}suite = 'aes-gcm-192'\nkey = '{{}}zz'\n",  # not hexadecimal
        f"{SA}suite = 'aes-gcm-192'\nkey = '{{}}00'\n",  # of no suite's length
        f"{SA}suite = '{{}}'\nkey_from_seed = true\n",
        f"{SA}suite = 'aes-gcm-128'\nsource = '{{}}'\nkey_from_seed = true\n",
        f"{SA}suite = 'aes-gcm-128'\ndirection = '{{}}'\nkey_from_seed = true\n",
        f"{SA}suite = 'aes-gcm-128'\nfirst_sequence = '{{}}'\nkey_from_seed = true\n",
        f"{SA}suite = 'aes-gcm-128'\nudp_encapsulation = ['{{}}']\nkey_from_seed = true\n",
        f"{SA}suite = 'aes-gcm-128'\n'{{}}' = true\n",
        f"{SA}suite = 'aes-gcm-128'\nkeys = '{{}}'\n",
        f"{SA}suite = 'aes-gcm-128'\nkey '{{}}'\n",
        f"{SA}suite = 'aes-gcm-128'\nkey = {{}}\n",
        f"{SA}suite = 'aes-gcm-128'\nkey = '{{}}\n",
        "[['{}']]\n['{}']\n",
        "x = {{ '{}' = 1, '{}' = 2 }}\n",
        "[[policies]]\naction = 'protect'\nsa = '{}'\n",
        "[[policies]]\naction = 'protect'\nsource = '{}'\n",
        "[[policies]]\naction = 'bypass'\nprotocol = '{}'\n",
        "[card]\nprofile = '{}'\n",
        "[card]\nload_full = '{}'\n",
        "[card.faults]\n'{}' = 1\n",
        "[rule]\nname = '{}'\n",
        "[rule]\ndecay = '{}'\n",
        "seed = '{}'\n",
        "'{}' = 1\n",
    ]
)


@settings(max_examples=500, deadline=None)
@given(keys, forms, places)
def test_no_error_quotes_a_key(
    tmp_path_factory: pytest.TempPathFactory,
    key: bytes,
    form: Callable[[bytes], str],
    place: str,
) -> None:
    """Pasted into whatever place and in whatever form, a key is not in what we print or keep."""
    path = tmp_path_factory.getbasetemp() / "secrets.toml"
    written = form(key)
    path.write_text(place.format(written, written))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert caught.value.__context__ is None, "pydantic's and tomllib's errors hold what they read"
    assert not common_run(key.hex(), re.sub(r"[^0-9a-fA-F]", "", printed).lower())
    assert not common_run(written, printed)


def common_run(secret: str, text: str, length: int = 10) -> bool:
    """Whether ten characters of ``secret`` stand in ``text``; says no more, so as to print none."""
    return any(secret[i : i + length] in text for i in range(len(secret) - length + 1))


def test_no_repr_shows_a_key(load: Load) -> None:
    """Neither a scenario nor its JSON, which is what a careless log line would print."""
    key = random.Random(1).randbytes(20)
    scenario = load(f"{SA}suite = 'aes-gcm-128'\nkey = '0x{key.hex()}'\n")
    (sa,) = scenario.sas
    printed = f"{scenario!r} {scenario} {sa!r} {sa.key!r} {sa.key} {sa.model_dump_json()}"
    assert not common_run(key.hex(), printed)
    assert not common_run(repr(key), printed)
    secret = sa.key
    assert secret is not None
    assert bool(secret.get_secret_value() == key), "it is there for whoever asks by name"
