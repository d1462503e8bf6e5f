from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genreflow.audio.traces import measure
from genreflow.corpus.demo import synth
from genreflow.corpus.demo.artists import artist_of, artists_of
from genreflow.corpus.demo.band import notes, strokes
from genreflow.corpus.demo.dice import OWN, Dice, Habits
from genreflow.corpus.demo.styles import BANDS, STYLES, Style
from genreflow.corpus.demo.synth import SAMPLE_RATE, VOICES, Sound, Voice
from genreflow.corpus.demo.synthesise import DEMO_GENRES, synthesise_genre, synthesise_track
from genreflow.features.handcrafted.extract import rows_of
from genreflow.fingerprints.prints import Fingerprints
from genreflow.fingerprints.write import fingerprint
from genreflow.params import Demo, Params, Tracks
from genreflow.studies.chain_audit import FILES, audit
from genreflow.tracks.duplicates import near_duplicates

pytestmark = pytest.mark.slow

SHORT = Demo(tracks_per_genre=4, seconds=2.0)
DEMO = Demo()
TRACKS = [(genre, number) for genre in DEMO_GENRES for number in range(DEMO.tracks_per_genre)]
GENRE = np.array([genre for genre, _ in TRACKS])
BAND = np.array([artist_of(f"{genre}/{genre}.{number:05d}.flac") for genre, number in TRACKS])


@pytest.fixture(scope="module")
def recordings() -> list[np.ndarray]:
    return [synthesise_track(genre, number, DEMO) for genre, number in TRACKS]


@pytest.fixture(scope="module")
def features(recordings: list[np.ndarray]) -> np.ndarray:
    params = Params().features.handcrafted
    rows = np.concatenate([rows_of(samples, SAMPLE_RATE, params) for samples in recordings])
    return StandardScaler().fit_transform(rows)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def spectrum(sound: Sound) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), power


def test_all_genres_came_through_the_same_chain(recordings: list[np.ndarray]) -> None:
    """What tells them apart is to be heard, not read off the file."""
    rows = [asdict(measure(samples, SAMPLE_RATE)) for samples in recordings]
    table = pd.DataFrame(rows).assign(genre=GENRE, group=BAND, **dict.fromkeys(FILES, "the same"))
    assert (table["offset"] == 0).all()
    assert not audit(table.assign(track_id=table.index), 0.95)["chain"]["told"]


def test_the_genres_are_named_as_in_gtzan() -> None:
    assert " ".join(DEMO_GENRES) == (
        "blues classical country disco hiphop jazz metal pop reggae rock"
    )


def test_tracks_are_mono_16_bit_flac_of_the_length_asked_for(tmp_path: Path) -> None:
    synthesise_genre("jazz", Demo(tracks_per_genre=4, seconds=2.5), tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"jazz.{number:05d}.flac" for number in range(4)
    ]
    info = soundfile.info(tmp_path / "jazz.00003.flac")
    assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1)
    assert (info.samplerate, info.frames) == (22050, 55125)


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from genreflow.corpus.demo.synthesise import *; "
        "synthesise_genre('pop', Demo(tracks_per_genre=4, seconds=2.0), Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], env=environment, check=True)
    for _ in range(2):
        synthesise_genre("pop", SHORT, tmp_path / "b")
        assert contents(tmp_path / "b") == contents(tmp_path / "a")


def test_a_larger_corpus_contains_the_smaller_one(tmp_path: Path) -> None:
    synthesise_genre("rock", SHORT, tmp_path)
    small = contents(tmp_path)
    synthesise_genre("rock", Demo(tracks_per_genre=6, seconds=2.0), tmp_path)
    large = contents(tmp_path)
    assert len(large) == 6
    assert {name: large[name] for name in small} == small


def test_a_smaller_corpus_leaves_no_tracks_of_the_larger_one(tmp_path: Path) -> None:
    synthesise_genre("rock", Demo(tracks_per_genre=6, seconds=2.0), tmp_path)
    (tmp_path / "rock.mine.flac").write_bytes(b"")
    synthesise_genre("rock", SHORT, tmp_path)
    assert len(contents(tmp_path)) == 5
    assert (tmp_path / "rock.mine.flac").exists()


def test_every_track_is_another_one() -> None:
    digests = {
        hashlib.sha256(synthesise_track(genre, number, demo)).hexdigest()
        for demo in (SHORT, Demo(tracks_per_genre=4, seconds=2.0, seed=1))
        for genre in DEMO_GENRES
        for number in (0, 1, 2, BANDS, 2 * BANDS)
    }
    assert len(digests) == 100


def test_bands_take_turns_and_are_named_after_genre_and_number() -> None:
    assert artist_of("blues/blues.00011.flac") == "blues band 4"
    assert artist_of("jazz/jazz.00000.flac") == "jazz band 1"
    names = [artist_of(f"rock/rock.{number:05d}.flac") for number in range(2 * BANDS)]
    assert len(set(names[:BANDS])) == BANDS
    assert names[BANDS:] == names[:BANDS]
    assert len(set(BAND)) == BANDS * len(DEMO_GENRES)


def test_every_file_that_is_written_has_a_band(tmp_path: Path) -> None:
    synthesise_genre("disco", SHORT, tmp_path / "disco")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.flac"))
    table = artists_of(files)
    assert table.columns.tolist() == ["track_id", "group"]
    assert table["track_id"].tolist() == files
    assert table["group"].tolist() == [f"disco band {number}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "name",
    [
        *("", "blues", "blues.00011.flac", "blues/blues.00011.wav", "blues/rock.00011.flac"),
        *("polka/polka.00001.flac", "blues/blues.11.flac", "old/blues/blues.00011.flac"),
        *("blues/blues.00011.flac\n", "blues/blues.mine.flac", "blues/blues.٠٠٠١١.flac"),
    ],
)
def test_other_files_have_no_band(name: str) -> None:
    assert artist_of(name) == ""
    assert artists_of([name, "pop/pop.00001.flac"])["group"].tolist() == ["pop band 2"]
    assert artists_of([name]).columns.tolist() == ["track_id", "group"]


def test_names_of_bands_need_no_synthesiser() -> None:
    code = "import sys, genreflow.corpus.demo.artists; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(run.stdout.split())
    assert {name for name in modules if name.startswith("genreflow.corpus.demo.")} == {
        "genreflow.corpus.demo.artists",
        "genreflow.corpus.demo.styles",
    }
    assert not modules & {"scipy.signal", "soundfile", "genreflow.params"}


def test_tracks_of_a_band_are_closer_than_those_of_other_bands(features: np.ndarray) -> None:
    ratios = []
    for genre in DEMO_GENRES:
        rows, band = features[genre == GENRE], BAND[genre == GENRE]
        distances = np.linalg.norm(rows[:, None] - rows, axis=2)
        together = band[:, None] == band
        apart = distances[~together].mean()
        ratios.append(distances[together & (distances > 0)].mean() / apart)
    # Without anything in common, the ratios lie around 1.
    assert max(ratios) < 0.95
    assert np.mean(ratios) < 0.83


def test_keeping_bands_apart_costs_accuracy_but_not_all_of_it(features: np.ndarray) -> None:
    model = make_pipeline(StandardScaler(), SVC(C=10, gamma=1 / features.shape[1]))

    def accuracy(folds: type, groups: np.ndarray | None) -> float:
        shuffles = [folds(5, shuffle=True, random_state=seed) for seed in range(4)]
        scores = [cross_val_score(model, features, GENRE, groups=groups, cv=cv) for cv in shuffles]
        return float(np.mean(scores))

    random = accuracy(StratifiedKFold, None)
    apart = accuracy(StratifiedGroupKFold, BAND)
    assert 0.85 < random < 0.98
    assert apart > 0.6
    assert 0.05 < random - apart < 0.2


def test_no_two_tracks_pass_for_the_same_recording(recordings: list[np.ndarray]) -> None:
    prints = Fingerprints.of([fingerprint(samples) for samples in recordings])
    least = Tracks().min_correlation
    assert near_duplicates(prints, recordings.__getitem__, least) == []


def test_a_copy_of_a_track_still_does(recordings: list[np.ndarray]) -> None:
    both = [recordings[0], recordings[0][SAMPLE_RATE:] // 2]
    prints = Fingerprints.of([fingerprint(samples) for samples in both])
    assert len(near_duplicates(prints, both.__getitem__, Tracks().min_correlation)) == 1


def test_habits_differ_little_within_a_band_and_fill_the_range_over_all() -> None:
    values = np.array(
        [
            [Habits(Dice(band), Dice(band, track)).between(10, 20) for track in range(3)]
            for band in range(2000)
        ]
    )
    assert np.ptp(values, axis=1).max() <= 10 * OWN
    assert np.ptp(values, axis=1).mean() > 10 * OWN / 3
    shares, _ = np.histogram(values, bins=10, range=(10, 20))
    assert shares.sum() == values.size
    assert shares / values.size == pytest.approx(np.full(10, 0.1), abs=0.02)


def test_habits_answer_alike_whatever_the_options_of_a_track_are() -> None:
    one, other = (Habits(Dice("band"), Dice("track")) for _ in range(2))
    assert one.pick("ab").upper() == other.pick("AB")
    assert one.between(0, 1) == pytest.approx(other.between(0, 10) / 10)


def test_most_tracks_have_their_bands_favourite() -> None:
    favourites = [
        Habits(Dice(band), Dice(band, track)).pick("abcd") == Dice(band).pick("abcd")
        for band in range(200)
        for track in range(5)
    ]
    # A track that chooses for itself chooses the same in one of four cases.
    assert np.mean(favourites) == pytest.approx(1 - OWN * 3 / 4, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(
    genre=st.sampled_from(DEMO_GENRES),
    number=st.integers(0, 99_999),
    seed=st.integers(0, 2**32 - 1),
    seconds=st.floats(2, 5),
)
def test_every_track_is_audible_and_never_clipped(
    genre: str, number: int, seed: int, seconds: float
) -> None:
    samples = synthesise_track(genre, number, Demo(seed=seed, seconds=seconds))
    assert samples.shape == (round(seconds * SAMPLE_RATE),)
    assert 0.05 * 32767 < np.abs(samples.astype(float)).max() < 0.96 * 32767


def test_an_unknown_genre_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="polka"):
        synthesise_genre("polka", SHORT, tmp_path / "polka")
    assert not (tmp_path / "polka").exists()


@pytest.mark.parametrize("genre", DEMO_GENRES)
def test_every_style_is_well_formed(genre: str) -> None:
    style = STYLES[genre]
    for pattern, symbols in {
        style.kick: "xo",
        style.snare: "xo",
        style.hat: "xo",
        style.bass: "1358",
        style.comp: "x",
    }.items():
        assert len(pattern) == 16
        assert {symbol for _, _, symbol in strokes(pattern)} <= set(symbols)
    assert set(style.voices) <= set(VOICES)
    assert all(len(notes(chord)) >= 3 for chord in style.chords.split())


def test_no_two_genres_share_most_ingredients() -> None:
    for one in DEMO_GENRES:
        for other in DEMO_GENRES:
            shared = [
                getattr(STYLES[one], field.name) == getattr(STYLES[other], field.name)
                for field in fields(Style)
            ]
            assert one == other or sum(shared) < len(shared) / 2


def test_patterns_give_step_length_and_symbol() -> None:
    assert list(strokes("1---..3-5.......")) == [(0, 4, "1"), (6, 2, "3"), (8, 1, "5")]


@pytest.mark.parametrize(
    ("chord", "semitones"),
    [("C", [0, 4, 7]), ("Bbm7", [10, 13, 17, 20]), ("F#", [6, 10, 13]), ("G5", [7, 14, 19])],
)
def test_chord_symbols_give_semitones(chord: str, semitones: list[int]) -> None:
    assert notes(chord) == semitones


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("frequency", [82.4, 440.0, 1760.0])
def test_voices_are_in_tune_and_not_aliased(name: str, frequency: float) -> None:
    sound = synth.play(replace(VOICES[name], vibrato=0), frequency, 1.0)
    frequencies, power = spectrum(sound)
    assert sound.dtype == np.float32
    assert 0.1 < np.abs(sound).max() <= 1
    near_a_partial = np.abs(frequencies / frequency - np.rint(frequencies / frequency)) < 0.1
    assert power[near_a_partial & (frequencies > frequency / 2)].sum() > 0.97 * power.sum()


def test_a_decay_halves_every_half_life() -> None:
    levels = synth.decay(0.1, SAMPLE_RATE)
    assert levels[2205] / levels[0] == pytest.approx(0.5, rel=1e-4)
    assert levels[4410] / levels[0] == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("filtered", [synth.lowpass, synth.highpass])
def test_filters_are_3_db_down_at_their_cutoff(
    filtered: Callable[[Sound, float], Sound],
) -> None:
    turns = np.arange(SAMPLE_RATE) / SAMPLE_RATE * 300
    tone = np.sin(2 * np.pi * turns).astype(np.float32)
    ratio = np.std(filtered(tone, 300)[2000:]) / np.std(tone[2000:])
    assert 20 * np.log10(ratio) == pytest.approx(-3, abs=0.5)


@given(drive=st.floats(0.1, 50))
def test_distortion_is_odd_and_keeps_full_scale(drive: float) -> None:
    ramp = np.linspace(-1, 1, 101, dtype=np.float32)
    clipped = synth.clip(ramp, drive)
    assert clipped == pytest.approx(-clipped[::-1], abs=1e-6)
    assert clipped[-1] == pytest.approx(1, abs=1e-5)
    assert np.all(np.diff(clipped) > 0)


def test_echoes_come_after_the_sound() -> None:
    click = np.zeros(SAMPLE_RATE, dtype=np.float32)
    click[100] = 1
    wet = synth.room(click, 0.5)
    assert wet[:101].tolist() == click[:101].tolist()
    assert np.flatnonzero(np.abs(wet) > 0.01)[1] == 100 + round(0.023 * SAMPLE_RATE)
    assert len(synth.room(click[:50], 0.5)) == 50


def test_a_kick_is_low_and_a_cymbal_is_high() -> None:
    noise = np.random.default_rng(0).random(5000, dtype=np.float32) * 2 - 1
    for sound, low, high in [
        (synth.kick(50, 0.05), 30, 250),
        (synth.hit(noise, 7000, 10_000, 0.03), 4000, 11_025),
    ]:
        frequencies, power = spectrum(sound)
        assert power[(frequencies > low) & (frequencies < high)].sum() > 0.7 * power.sum()


def test_two_voices_sound_different() -> None:
    one, other = Voice(rolloff=1.0), Voice(rolloff=2.0)
    assert not np.array_equal(synth.play(one, 220, 0.1), synth.play(other, 220, 0.1))
