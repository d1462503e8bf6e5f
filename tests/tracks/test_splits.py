import hashlib
import unicodedata
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreflow.corpus.demo.styles import STYLES
from genreflow.corpus.labels import Row
from genreflow.params import Corpus, ParamsError, Splits, parse
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, write_table
from genreflow.tracks.assignment import assign
from genreflow.tracks.grouping import known_groups
from genreflow.tracks.listings import ListingError, match_listing, read_listing
from genreflow.tracks.splits import SplitsError, make_splits, write_splits

NO_GROUPS = pd.DataFrame(columns=["track_id", "group"], dtype=str)
NO_ROLES = pd.DataFrame(columns=["track_id", "role"], dtype=str)


def tracks(per_genre=20, genres=("blues", "jazz", "rock")):
    rows = [(f"{g}/{n:03d}.wav", g) for g in genres for n in range(per_genre)]
    return pd.DataFrame(rows, columns=["track_id", "genre"]).assign(duplicate_group="")


def groups_of(table, size):
    """Put runs of `size` neighbouring tracks into one group, also across genres."""
    labels = [f"artist {n // size}" for n in range(len(table))]
    return pd.DataFrame({"track_id": table["track_id"], "group": labels})


def roles_by_group(splits):
    return splits.groupby(["fold", "group"])["role"].nunique()


def test_holdout_tests_thirty_percent_of_every_genre():
    splits = make_splits(tracks(20), NO_GROUPS, NO_ROLES, Splits())
    test = splits[splits["role"] == "test"].groupby("genre").size()
    assert test.tolist() == [6, 6, 6]
    assert set(splits["fold"]) == {"0"}


def test_validation_is_carved_from_the_training_part():
    splits = make_splits(tracks(20), NO_GROUPS, NO_ROLES, Splits(valid_fraction=0.5))
    counts = splits.groupby("role").size()
    assert counts.to_dict() == {"test": 18, "train": 21, "valid": 21}


def test_kfold_tests_every_track_exactly_once():
    table = tracks(15)
    splits = make_splits(table, NO_GROUPS, NO_ROLES, Splits(strategy="kfold", n_splits=5))
    tested = splits.loc[splits["role"] == "test", "track_id"]
    assert sorted(tested) == sorted(table["track_id"])
    assert sorted(splits["fold"].unique()) == list("01234")


@settings(max_examples=25, deadline=None)
@given(
    strategy=st.sampled_from(["holdout", "kfold"]),
    size=st.integers(2, 5),
    seed=st.integers(0, 1000),
    duplicates=st.booleans(),
)
def test_groups_and_duplicates_never_cross_roles(strategy, size, seed, duplicates):
    table = tracks(30)
    if duplicates:
        table.loc[[3, 40], "duplicate_group"] = "blues/003.wav"
    splits = make_splits(
        table, groups_of(table, size), NO_ROLES, Splits(strategy=strategy, seed=seed, n_splits=3)
    )
    assert (roles_by_group(splits) == 1).all()
    if duplicates:
        both = splits[splits["track_id"].isin(table["track_id"].iloc[[3, 40]])]
        assert (both.groupby("fold")["role"].nunique() == 1).all()


def test_duplicates_may_be_kept_apart_on_request():
    table = tracks(20)
    table.loc[[0, 1], "duplicate_group"] = "blues/000.wav"
    splits = make_splits(table, NO_GROUPS, NO_ROLES, Splits(keep_duplicates_together=False))
    assert splits["group"].nunique() == len(table)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_the_corpus_does_not_matter(seed):
    table = tracks(12)
    shuffled = table.sample(frac=1, random_state=seed)
    for strategy in ("holdout", "kfold"):
        params = Splits(strategy=strategy, n_splits=3)
        first = make_splits(table, NO_GROUPS, NO_ROLES, params)
        second = make_splits(shuffled, NO_GROUPS, NO_ROLES, params)
        pd.testing.assert_frame_equal(first, second)


def test_a_seed_gives_the_same_split_for_ever():
    splits = make_splits(tracks(20), NO_GROUPS, NO_ROLES, Splits(seed=7))
    digest = hashlib.sha256(splits.to_csv(index=False).encode()).hexdigest()
    assert digest.startswith("604db7673aa62254")


def test_another_seed_gives_another_split():
    one, two = (make_splits(tracks(), NO_GROUPS, NO_ROLES, Splits(seed=s)) for s in (0, 1))
    assert not one.equals(two)


@pytest.mark.parametrize("strategy", ["holdout", "kfold"])
@pytest.mark.parametrize("size", [1, 4])
def test_adding_a_track_moves_few_others(strategy, size):
    """Less than a track in twenty, alone or with artists of four tracks each."""
    moved = []
    for seed in range(5):
        roles = []
        for table in (tracks(51), tracks(51).drop(index=[50, 101, 152])):
            groups = groups_of(tracks(51), size)
            groups = groups[groups["track_id"].isin(table["track_id"])]
            splits = make_splits(table, groups, NO_ROLES, Splits(strategy=strategy, seed=seed))
            roles.append(splits.set_index(["fold", "track_id"])["role"])
        before = roles[1]
        moved.append((before != roles[0].reindex(before.index)).mean())
    assert np.mean(moved) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_folds_hold_equally_many_tracks_of_each_genre(seed):
    table = tracks(52, genres=[f"genre {n}" for n in range(12)])
    splits = make_splits(table, NO_GROUPS, NO_ROLES, Splits(strategy="kfold", seed=seed))
    test = splits[splits["role"] == "test"]
    counts = pd.crosstab(test["fold"], test["genre"])
    assert set(counts.to_numpy().ravel()) == {10, 11}
    # Not the same fold gets the rest of every genre.
    assert counts.sum(axis=1).max() <= 130


@pytest.mark.parametrize("seed", range(5))
def test_folds_of_artists_are_nearly_as_even_as_can_be(seed):
    """Sizes as in real music: a few artists with many tracks, many with one or two."""
    rng = np.random.default_rng(seed)
    table = tracks(60)
    sizes = [20, 12, 8, 5, 3, 3, 2, 2, 1, 1, 1, 1, 1]
    names = [
        f"{g} {n}" for g in ("blues", "jazz", "rock") for n, k in enumerate(sizes) for _ in range(k)
    ]
    groups = pd.DataFrame({"track_id": table["track_id"], "group": names})
    shuffled = table.sample(frac=1, random_state=rng.integers(1000))
    splits = make_splits(shuffled, groups, NO_ROLES, Splits(strategy="kfold", seed=seed))
    test = splits[splits["role"] == "test"]
    counts = pd.crosstab(test["fold"], test["genre"]).to_numpy()
    joined = table.assign(group=names)
    best = assign(joined, dict.fromkeys("01234", 0.2), "best")
    least = np.abs(pd.crosstab(best, joined["genre"]).to_numpy() - 12).sum()
    assert np.abs(counts - 12).sum() <= least + 12
    assert counts.min() > 0


@pytest.mark.parametrize("strategy", ["holdout", "kfold"])
def test_a_repeat_is_what_its_seed_gives_alone(strategy):
    table = tracks(20)
    both = make_splits(table, NO_GROUPS, NO_ROLES, Splits(strategy=strategy, seed=3, repeats=2))
    second = make_splits(table, NO_GROUPS, NO_ROLES, Splits(strategy=strategy, seed=4))
    n_folds = second["fold"].nunique()
    assert both["fold"].nunique() == 2 * n_folds
    later = both[both["fold"].astype(int) >= n_folds]
    later = later.assign(fold=(later["fold"].astype(int) - n_folds).astype(str))
    pd.testing.assert_frame_equal(later.reset_index(drop=True), second)


def of_three_artists(roles):
    """Three genres, three artists of ten tracks each, who have these roles."""
    table = tracks(30)
    groups = groups_of(table, 10)
    number = groups["group"].str.split().str[1].astype(int) % 3
    listed = pd.DataFrame(
        {"track_id": table["track_id"], "role": number.map(dict(enumerate(roles)))}
    )
    return table, groups, listed.dropna(ignore_index=True)


def test_large_artists_of_a_partition_leave_validation_tracks():
    """A share of 15 % is less than an artist has; one of two validates all the same."""
    table, groups, listed = of_three_artists(["train", "train", "test"])
    splits = make_splits(table, groups, listed, Splits(strategy="predefined"))
    counts = pd.crosstab(splits["genre"], splits["role"])
    assert (counts == 10).all(axis=None)
    assert (roles_by_group(splits) == 1).all()


@pytest.mark.parametrize(
    ("roles", "role"),
    [(["train", "test", None], "valid"), (["train", "valid", None], "test")],
)
def test_a_partition_without_a_role_is_refused_before_a_model_trips_over_it(roles, role):
    table, groups, listed = of_three_artists(roles)
    with pytest.raises(SplitsError, match=rf"no track has the role {role}.*data/roles\.csv"):
        make_splits(table, groups, listed, Splits(strategy="predefined"))


def test_a_given_partition_is_not_repeated():
    with pytest.raises(ParamsError, match="repeats"):
        parse({"splits": {"strategy": "predefined", "repeats": 2}})


def test_predefined_roles_are_taken_as_listed_and_other_tracks_left_out():
    table = tracks(6, genres=("blues",))
    roles = pd.DataFrame(
        {"track_id": table["track_id"].head(5), "role": ["train", "train", "valid", "test", "test"]}
    )
    splits = make_splits(table, NO_GROUPS, roles, Splits(strategy="predefined"))
    assert splits.set_index("track_id")["role"].tolist() == roles["role"].tolist()


def test_predefined_without_validation_gets_one_from_training():
    table = tracks(10, genres=("blues",))
    roles = pd.DataFrame({"track_id": table["track_id"], "role": ["train"] * 7 + ["test"] * 3})
    splits = make_splits(table, NO_GROUPS, roles, Splits(strategy="predefined"))
    assert splits.groupby("role").size().to_dict() == {"test": 3, "train": 6, "valid": 1}


def test_predefined_roles_that_divide_a_group_lose_the_training_side(caplog):
    table = tracks(6, genres=("blues",))
    table.loc[[0, 5], "duplicate_group"] = "blues/000.wav"
    roles = pd.DataFrame(
        {
            "track_id": table["track_id"],
            "role": ["train", "train", "train", "valid", "test", "test"],
        }
    )
    splits = make_splits(table, NO_GROUPS, roles, Splits(strategy="predefined"))
    assert "blues/000.wav" not in set(splits["track_id"])
    assert "blues/005.wav" in set(splits.loc[splits["role"] == "test", "track_id"])
    assert "blues/000.wav" in caplog.text


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"track_id": ["blues/000.wav"], "role": ["dev"]}, "unknown role dev"),
        ({"track_id": ["other.wav"], "role": ["test"]}, "lists no track"),
    ],
)
def test_unusable_listings_are_explained(roles, message):
    with pytest.raises(SplitsError, match=message):
        make_splits(tracks(6), NO_GROUPS, pd.DataFrame(roles), Splits(strategy="predefined"))


def test_a_spreadsheets_listing_is_read_with_its_mark_and_blank_lines(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("track_id, group,year\nblues/å.wav,001,1999\nblues/b.wav,,2000\n", "utf-8-sig")
    assert read_listing(path, "group").to_dict("records") == [
        {"track_id": "blues/å.wav", "group": "001"}
    ]


@pytest.mark.parametrize("strategy", ["holdout", "kfold"])
def test_the_group_that_swallowed_a_genre_is_named(strategy):
    table = tracks(10)
    table.loc[1:8, "duplicate_group"] = "blues/001.wav"
    said = r"the largest, blues/001\.wav, holds 8 of its 10 tracks.*raise tracks\.min_correlation"
    groups = pd.DataFrame({"track_id": ["blues/000.wav", "blues/009.wav"], "group": "Abba"})
    with pytest.raises(SplitsError, match=said):
        make_splits(table, groups, NO_ROLES, Splits(strategy=strategy))


def test_a_genre_with_too_few_tracks_is_named():
    table = pd.concat([tracks(10, ("blues",)), tracks(2, ("zydeco",))])
    with pytest.raises(SplitsError, match="zydeco has 2 independent groups of tracks, but 3 are"):
        make_splits(table, NO_GROUPS, NO_ROLES, Splits())
    with pytest.raises(SplitsError, match=r"zydeco has 2 independent groups.*n_splits = 5"):
        make_splits(table, NO_GROUPS, NO_ROLES, Splits(strategy="kfold"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track,group\na,b\n", "lacks the column group, track_id|lacks the column track_id"),
        ("track_id,group\na,b\na,c\n", "lists a twice"),
        (None, "no such file"),
    ],
)
def test_a_broken_listing_names_the_file(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ListingError, match=message) as error:
        read_listing(path, "group")
    assert "groups.csv" in str(error.value)


def artists(per_genre, tracks_each, genres=("a", "b", "c")):
    """Genres in which a few artists have all the tracks."""
    table = tracks(per_genre * tracks_each, genres)
    artist = table.groupby("genre").cumcount() // tracks_each
    groups = pd.DataFrame(
        {"track_id": table["track_id"], "group": table["genre"] + artist.map(" artist {}".format)}
    )
    return table, groups


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("per_genre", "tracks_each", "strategy"),
    [
        (3, 8, "holdout"),
        (4, 5, "holdout"),
        (4, 8, "holdout"),
        (5, 4, "holdout"),
        (3, 8, "kfold"),
        (5, 4, "kfold"),
        (5, 20, "kfold"),
    ],
)
def test_a_few_artists_are_divided_whenever_they_can_be(per_genre, tracks_each, strategy, seed):
    table, groups = artists(per_genre, tracks_each, tuple("abcdefghij"))
    params = Splits(strategy=strategy, n_splits=3, seed=seed)
    splits = make_splits(table, groups, NO_ROLES, params)
    assert roles_by_group(splits).max() == 1
    every = splits.groupby(["fold", "genre"])["role"].nunique()
    assert every.eq(3).all()
    shuffled = table.sample(frac=1, random_state=1)
    assert make_splits(shuffled, groups, NO_ROLES, params).equals(splits)


def test_a_few_artists_are_divided_as_close_to_the_shares_as_they_allow():
    """Three artists of 12, 5 and 3 tracks: the best of the six ways, found by trying them all."""
    table = tracks(20, ("a",))
    owner = ["x"] * 12 + ["y"] * 5 + ["z"] * 3
    groups = pd.DataFrame({"track_id": table["track_id"], "group": owner})
    splits = make_splits(table, groups, NO_ROLES, Splits(test_fraction=0.3, valid_fraction=0.15))
    role = splits.groupby("group")["role"].first().to_dict()
    sizes = {"x": 12, "y": 5, "z": 3}
    wanted = {"train": 0.7 * 0.85 * 20, "valid": 0.7 * 0.15 * 20, "test": 0.3 * 20}

    def misses(assigned):
        return sum(abs(sizes[group] - wanted[part]) for group, part in assigned.items())

    best = min(misses(dict(zip("xyz", order, strict=True))) for order in permutations(wanted))
    assert misses(role) == pytest.approx(best)


def test_the_genre_that_makes_a_split_impossible_is_named():
    table, groups = artists(2, 6)
    with pytest.raises(SplitsError, match=r"genre a has 2 independent groups .*train, valid, test"):
        make_splits(table, groups, NO_ROLES, Splits())


def test_artists_of_several_genres_are_divided_where_that_is_possible():
    """Every artist plays every genre: three artists, so one for each role."""
    table, groups = artists(3, 4)
    everywhere = groups.assign(group=groups["group"].str[1:])
    splits = make_splits(table, everywhere, NO_ROLES, Splits())
    assert splits.groupby("role")["group"].nunique().to_dict() == {
        "test": 1,
        "train": 1,
        "valid": 1,
    }


def test_a_partition_may_leave_genres_without_validation_or_test(caplog):
    table = tracks(4, genres=("blues", "jazz", "pop"))
    of_genre = {"blues": ["train", "train", "valid", "test"], "jazz": ["train"] * 3 + ["test"]}
    roles = pd.concat(
        [
            pd.DataFrame({"track_id": part["track_id"], "role": of_genre[str(genre)]})
            for genre, part in table.groupby("genre")
            if genre in of_genre
        ]
    )
    splits = make_splits(table, NO_GROUPS, roles, Splits(strategy="predefined"))
    assert set(splits["genre"]) == {"blues", "jazz"}
    assert "genre jazz has no valid track" in caplog.text
    without = roles.assign(role="test")
    with pytest.raises(SplitsError, match="genre blues has no train track"):
        make_splits(table, NO_GROUPS, without, Splits(strategy="predefined"))


def listing(*names):
    return pd.DataFrame({"track_id": names, "group": [f"g{n}" for n in range(len(names))]})


CORPUS = ["blues/blues.00000.wav", "jazz/Año Nuevo.flac", "pop/live/one.mp3", "pop/one.mp3"]


@pytest.mark.parametrize(
    ("listed", "track"),
    [
        ("blues/blues.00000.wav", CORPUS[0]),
        ("blues/blues.00000", CORPUS[0]),
        ("blues/blues.00000.au", CORPUS[0]),
        ("blues.00000", CORPUS[0]),
        ("blues.00000.wav", CORPUS[0]),
        ("blues\\blues.00000.wav", CORPUS[0]),
        ("/home/me/genres/blues/blues.00000.wav", CORPUS[0]),
        (unicodedata.normalize("NFD", CORPUS[1]), CORPUS[1]),
        ("pop/one", CORPUS[3]),
        ("pop/live/one", CORPUS[2]),
    ],
)
def test_listed_tracks_are_found_by_what_people_call_them(listed, track):
    decomposed = [unicodedata.normalize("NFD", name) for name in CORPUS]
    for corpus in (CORPUS, decomposed):
        found = match_listing(listing(listed), corpus, "groups.csv")
        assert [unicodedata.normalize("NFC", name) for name in found["track_id"]] == [track]
        assert found["track_id"][0] in corpus


def test_a_name_that_several_tracks_have_is_none(caplog):
    found = match_listing(listing("one.mp3", "blues.00000"), CORPUS, "groups.csv")
    assert found["track_id"].tolist() == [CORPUS[0]]
    assert "1 of 2 listed tracks are not in the corpus, such as one.mp3" in caplog.text


def test_a_listing_that_matches_nothing_is_refused_with_examples_of_both_sides():
    with pytest.raises(ListingError, match=r"none of its 2 tracks.*lists x, y; .* has blues"):
        match_listing(listing("x", "y"), CORPUS, "groups.csv")


def test_two_lines_for_one_track_are_refused():
    with pytest.raises(ListingError, match=r"two lines mean blues/blues\.00000\.wav"):
        match_listing(listing("blues.00000", "blues/blues.00000.wav"), CORPUS, "groups.csv")


def test_bands_may_be_called_like_missing_values_and_blanks_do_not_make_two_of_one(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("track_id,group\na,NA\nb,None\nc,null\nd,nan\ne,X\nf, X \ng,\n")
    found = read_listing(path, "group").set_index("track_id")["group"]
    assert found.to_dict() == {"a": "NA", "b": "None", "c": "null", "d": "nan", "e": "X", "f": "X"}


def partition(
    params,
    track_ids,
    tmp_path,
    listing="track_id,role\n",
    groups="track_id,group\n",
    set_aside=(),
    **options,
):
    """Go through files, as the workflow does."""
    manifest = pd.DataFrame({"track_id": track_ids})
    manifest["genre"] = manifest["track_id"].str.partition("/")[0]
    manifest = manifest.assign(duplicate_group="", status="ok")
    manifest.loc[manifest["track_id"].isin(set_aside), "status"] = "rejected"
    stamp = Stamp("tracks", {}, facts={"audio": {}})
    write_table(manifest, tmp_path / "tracks.parquet", stamp)
    (tmp_path / "groups.csv").write_text(groups)
    (tmp_path / "roles.csv").write_text(listing)
    write_splits(
        *(tmp_path / name for name in ("tracks.parquet", "groups.csv", "roles.csv")),
        tmp_path / "splits.parquet",
        params,
        tracks_stamp=stamp,
        stamp=Stamp("splits", {}),
        **options,
    )
    return pd.read_parquet(tmp_path / "splits.parquet")


FAULT_FILTERED = Splits(strategy="fault_filtered")


def gtzan(suffix):
    return [f"{g}/{g}.{n:05d}.{suffix}" for g in STYLES for n in range(100)]


@pytest.mark.parametrize("suffix", ["wav", "au", "flac"])
def test_the_fault_filtered_partition_of_gtzan_is_one_switch(suffix, tmp_path):
    splits = partition(FAULT_FILTERED, gtzan(suffix), tmp_path)
    assert splits.groupby("role").size().to_dict() == {"test": 290, "train": 443, "valid": 197}


def test_a_part_of_gtzan_has_its_part_of_the_partition(tmp_path, caplog):
    splits = partition(FAULT_FILTERED, gtzan("wav")[::2], tmp_path)
    assert 400 < len(splits) < 500
    assert "listed tracks are not in the corpus, such as" in caplog.text


def test_another_corpus_has_no_such_partition(tmp_path):
    with pytest.raises(ListingError, match=r"fault_filtered\.csv: none of its 930 tracks"):
        partition(FAULT_FILTERED, ["a/1.wav", "b/1.wav"], tmp_path)


def test_a_listing_of_roles_is_no_obstacle_where_none_is_asked_for(tmp_path):
    names = [f"{g}/{n}.wav" for g in "ab" for n in range(20)]
    listing = "track_id,role\nsomething else,test\n"
    assert len(partition(Splits(), names, tmp_path, listing)) == 40
    with pytest.raises(ListingError, match="none of its 1 tracks"):
        partition(Splits(strategy="predefined"), names, tmp_path, listing)


DEMO_TRACKS = [f"{genre}/{genre}.{n:05d}.flac" for genre in ("blues", "rock") for n in range(16)]


def facts_of(folder):
    return read_stamp(folder / "splits.parquet").facts


def test_the_demos_bands_are_kept_apart_unless_others_are_listed(tmp_path):
    splits = partition(Splits(), DEMO_TRACKS, tmp_path, is_demo=True)
    assert splits.groupby("group")["role"].nunique().max() == 1
    assert splits["group"].nunique() == 16
    assert (facts_of(tmp_path)["n_grouped"], facts_of(tmp_path)["groups"]) == (32, "")
    own = f"track_id,group\n{DEMO_TRACKS[0]},X\n{DEMO_TRACKS[1]},X\n"
    splits = partition(Splits(), DEMO_TRACKS, tmp_path, groups=own, is_demo=True)
    assert splits["group"].nunique() == 31
    assert facts_of(tmp_path)["n_grouped"] == 2
    assert facts_of(tmp_path)["groups"].endswith("groups.csv")


def test_another_corpus_with_such_names_has_no_bands(tmp_path):
    partition(Splits(), DEMO_TRACKS, tmp_path)
    assert facts_of(tmp_path)["n_grouped"] == 0


def test_a_listed_track_that_was_set_aside_means_no_other(tmp_path):
    """Its name would else be the only one left for a track of the same name elsewhere."""
    names = [f"{g}/{n}.wav" for g in ("rock/A", "rock/B", "pop/C") for n in range(6)]
    listing = "track_id,group\nrock/A/0.wav,x\nrock/B/0.wav,y\npop/C/0.wav,z\n"
    broken = ["rock/A/0.wav", "pop/C/0.wav"]
    splits = partition(Splits(), names, tmp_path, groups=listing, set_aside=broken)
    assert splits.set_index("track_id").loc["rock/B/0.wav", "group"] == "y"
    assert facts_of(tmp_path)["n_grouped"] == 1


LIBRARY = [
    f"{genre}/{artist}/{album}/{n}.wav"
    for genre in ("jazz", "rock")
    for artist in "abcd"
    for album in ("one", "two")
    for n in range(2)
]


def groups_in(splits):
    return splits.set_index("track_id")["group"].groupby(level=0).first()


def test_folders_of_artists_group_tracks_and_files_beside_them_stand_alone(tmp_path):
    corpus = Corpus(group_by="folder")
    groups = groups_in(partition(Splits(), [*LIBRARY, "rock/x.wav"], tmp_path, corpus=corpus))
    assert groups["jazz/a/one/0.wav"] == groups["jazz/a/two/1.wav"] == "jazz/a"
    assert groups["rock/a/one/0.wav"] == "rock/a", "the same name in two genres is two groups"
    assert groups["rock/x.wav"] == "rock/x.wav"
    facts = facts_of(tmp_path)
    assert (facts["n_grouped"], facts["groups"]) == (32, "corpus.group_by")
    assert facts["artists"]


def test_under_a_table_the_first_folder_below_the_root_is_the_group(tmp_path):
    listing = tmp_path / "groups.csv"
    listing.write_text("track_id,group\n")
    names = ["a/one/0.wav", "a/two/0.wav", "b/0.wav", "loose.wav"]
    rows = [Row(name, "jazz") for name in names]
    known = known_groups(names, listing, rows, Corpus(group_by="folder"))
    assert dict(known.groups.itertuples(index=False)) == {
        "a/one/0.wav": "a",
        "a/two/0.wav": "a",
        "b/0.wav": "b",
    }


PIECES = [
    f"{g}/{g}.{song:05d}.{n}.wav" for g in ("jazz", "rock") for song in range(8) for n in "012"
]


def test_the_capture_of_a_pattern_is_the_group(tmp_path):
    corpus = Corpus(group_pattern=r"^(.*)\.\d\.wav$")
    splits = partition(Splits(), [*PIECES, "rock/intro.wav"], tmp_path, corpus=corpus)
    groups = groups_in(splits)
    assert groups["rock/rock.00003.0.wav"] == groups["rock/rock.00003.2.wav"]
    assert groups["rock/intro.wav"] == "rock/intro.wav"
    assert not facts_of(tmp_path)["artists"], "it may capture anything"
    assert (splits.groupby(["fold", "group"])["role"].nunique() == 1).all()


def test_a_pattern_is_searched_anywhere_and_may_capture_nothing(tmp_path):
    corpus = Corpus(group_pattern=r"\.0000([0-3])?")
    groups = groups_in(partition(Splits(), PIECES, tmp_path, corpus=corpus))
    assert groups["rock/rock.00001.0.wav"] == groups["jazz/jazz.00001.2.wav"] == "1"
    assert groups["rock/rock.00007.0.wav"] == "rock/rock.00007.0.wav"


def test_a_listing_wins_over_the_table_over_the_pattern_over_the_folder(tmp_path):
    listing = tmp_path / "groups.csv"
    listing.write_text("track_id,group\nx/f/a.wav,L\n")
    names = [f"x/f/{n}.wav" for n in "abcd"]
    rows = [Row(names[0], "jazz", "T"), Row(names[1], "jazz", "T")]
    corpus = Corpus(group_pattern=r"/([a-c])\.wav", group_by="folder")
    known = known_groups(names, listing, rows, corpus)
    assert known.groups.set_index("track_id")["group"][names].tolist() == ["L", "T", "c", "x"]
    assert known.sources == (
        str(listing),
        "data/labels.csv",
        "corpus.group_pattern",
        "corpus.group_by",
    )
    assert known.artists


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        (Corpus(group_pattern="(x+)y"), r"group_pattern: '\(x\+\)y' captures nothing in any of 24"),
        (Corpus(group_by="folder"), "group_by: folder, but every track lies directly in"),
    ],
)
def test_a_rule_that_groups_nothing_is_refused(corpus, said, tmp_path):
    names = [f"{g}/{n}.wav" for g in ("jazz", "rock") for n in range(12)]
    with pytest.raises(ListingError, match=said):
        partition(Splits(), names, tmp_path, corpus=corpus)


def test_roles_come_from_the_table_too_in_the_words_of_others(tmp_path):
    names = [f"{g}/{n}.wav" for g in ("jazz", "rock") for n in range(4)]
    words = ("training", "Validation", "test", "train")
    rows = [Row(name, name[:4], "", word) for name, word in zip(names, words * 2, strict=True)]
    params = Splits(strategy="predefined")
    splits = partition(params, names, tmp_path, "track_id,role\nrock/3.wav,test\n", rows=rows)
    roles = splits.set_index("track_id")["role"]
    assert roles[["jazz/0.wav", "jazz/1.wav", "jazz/2.wav"]].tolist() == ["train", "valid", "test"]
    assert roles["rock/3.wav"] == "test", "the listing of roles wins, track by track"


@pytest.mark.parametrize("pattern", ["(", "no capture", "(two) (captures)", "(?P<a>x)(?P<b>y)"])
def test_a_pattern_that_has_not_one_capture_is_refused_by_name(pattern):
    with pytest.raises(
        ParamsError, match=r"corpus\.group_pattern: .*(captures|regular expression)"
    ):
        parse({"corpus": {"group_pattern": pattern}})


def test_pieces_of_one_recording_are_warned_about_until_they_are_grouped(tmp_path, caplog):
    partition(Splits(), PIECES, tmp_path)
    assert "16 names with 3 numbered parts each, such as jazz/jazz.00000." in caplog.text
    pieces = facts_of(tmp_path)["pieces"]
    assert (pieces["names"], pieces["tracks"]) == (16, 48)
    assert f"corpus.group_pattern: '{pieces['pattern']}'" in caplog.text
    caplog.clear()
    splits = partition(Splits(), PIECES, tmp_path, corpus=Corpus(group_pattern=pieces["pattern"]))
    assert (facts_of(tmp_path)["pieces"], caplog.text) == (None, "")
    recording = splits["track_id"].str.rsplit(".", n=2).str[0]
    assert (splits.groupby(recording)["role"].nunique() == 1).all()
