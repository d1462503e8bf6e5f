"""A corpus that was cut before: its pieces are known by their names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreflow.params import Corpus
from genreflow.tracks.pieces import PATTERN, find_divided, find_pieces


def cut(name="{g}/{g}.{song:05d}.{n}.wav", songs=100, parts=10, genres=("blues", "jazz")):
    return [
        name.format(g=g, song=s, n=n) for g in genres for s in range(songs) for n in range(parts)
    ]


CUT = {
    "as for features_3_sec.csv": "{g}/{g}.{song:05d}.{n}.wav",
    "with an underscore": "{g}/song {song}_{n:03d}.mp3",
    "named parts": "{g}/{song:03d} tune part {n}.flac",
    "in brackets": "{g}/tune {song}x ({n}).ogg",
    "without a separator": "{g}/take{song}x{n}.wav",
    "below the genre": "{g}/disc 1/{g}.{song:05d}.{n}.wav",
}


@pytest.mark.parametrize("how", CUT)
def test_pieces_of_many_recordings_are_recognised_and_counted(how):
    found = find_pieces(cut(CUT[how]))
    assert (found.names, found.fewest, found.most, found.tracks) == (200, 10, 10, 2000)


@pytest.mark.parametrize("how", CUT)
def test_the_pattern_that_is_suggested_groups_exactly_the_pieces(how):
    assert Corpus(group_pattern=PATTERN)
    groups = {track: re.search(PATTERN, track)[1] for track in cut(CUT[how])}
    assert len(set(groups.values())) == 200
    assert find_divided(groups) is None


WHOLE = {
    "GTZAN": [f"{g}/{g}.{n:05d}.wav" for g in ("blues", "jazz") for n in range(100)],
    "numbered tracks": [f"{g}/track{n:02d}.mp3" for g in ("blues", "jazz") for n in range(100)],
    "numbers alone": [f"{g}/{n:02d}.flac" for g in ("blues", "jazz") for n in range(100)],
    "albums": [f"rock/{a}/track{n:02d}.mp3" for a in ("One", "Two") for n in range(12)],
    "FMA": [f"{n // 1000:03d}/{n:06d}.mp3" for n in range(0, 9000, 7)],
    "years among other names": [
        *(f"rock/live {place} {year}.mp3" for place in ("Paris", "Rome") for year in (1977, 1978)),
        *(f"rock/{word} song.mp3" for word in "abcdefgh"),
    ],
    "one song in parts beside GTZAN's": [
        *(f"blues/blues.{n:05d}.wav" for n in range(100)),
        *(f"blues/extra {n}.wav" for n in range(2)),
    ],
    "one recording": [f"rock/long set {n}.wav" for n in range(20)],
    "nothing": [],
}


@pytest.mark.parametrize("corpus", WHOLE)
def test_one_name_with_everything_is_no_evidence(corpus):
    assert find_pieces(WHOLE[corpus]) is None


def test_numbers_of_parts_may_differ():
    found = find_pieces(
        [*cut(songs=3, parts=4, genres=["a"]), *cut(songs=2, parts=2, genres=["b"])]
    )
    assert (found.names, found.fewest, found.most) == (5, 2, 4)


def test_only_pieces_that_nothing_keeps_together_are_told():
    tracks = cut(songs=4, parts=3, genres=["a"])
    found = find_divided({t: "one" if t[:9] in ("a/a.00000", "a/a.00001") else t for t in tracks})
    assert (found.names, found.tracks) == (2, 6)


def test_the_message_reads_as_a_question_with_an_answer_to_paste():
    said = str(find_pieces(cut()))
    assert said.startswith("200 names with 10 numbered parts each, such as blues/blues.00000.…")
    assert said.endswith(f"set corpus.group_pattern: '{PATTERN}'")


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_names_will_do(names):
    find_pieces(names)
