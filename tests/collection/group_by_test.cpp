// tests/collection/group_by_test.cpp — the nearest records of each value, beside a naive answer.
#include "songs.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

using kith::Errc;
using namespace kith_test;

TEST_CASE("Every kind of value forms groups: none and NaN are values like others, and so is zero of either sign") {
    const Shelf<kith::Hnsw<>> shelf;
    check_field<&Song::rating>(shelf, 9, 4);
    check_field<&Song::rating>(shelf, 4, 2);
    check_field<&Song::loudness>(shelf, 9, 4);
    check_field<&Song::year>(shelf, 25, 3);
    check_field<&Song::plays>(shelf, 5, 5);
    check_field<&Song::color>(shelf, 2, 7);
    check_field<&Song::live>(shelf, 2, 30);
    check_field<&Song::released>(shelf, 7, 2);
    check_field<&Song::id>(shelf, 12, 2);
}

TEST_CASE("A value that nearly all records have hides none of the others") {
    // The nearest hundreds of neighbours are of one artist, and one of the others is the farthest record of all.
    Collection<Songs<kith::Hnsw<>>> songs(kith::in_memory);
    std::vector<Song> written;
    for (std::int64_t number = 0; number < 6000; ++number) {
        Song one = song(number);
        one.artist = "everybody";
        one.label.reset();
        one.rating = std::numeric_limits<double>::quiet_NaN();
        if (number < 20) {
            one.artist = "artist " + std::to_string(number / 2);
            one.label = "label " + std::to_string(number / 2);
            one.rating = static_cast<double>(number / 2);
            one.mood.fill(10.0F + static_cast<float>(number));
        }
        written.push_back(one);
    }
    songs.insert(written);
    songs.link();
    const auto ask = [&] { return songs.nearest<&Song::mood>(song(7000).mood); };
    const auto check = [](const auto& groups) {
        REQUIRE(groups.size() == 11);
        CHECK(groups[0].hits.size() == 3);
        for (std::size_t at = 1; at < groups.size(); ++at) {
            REQUIRE(groups[at].hits.size() == 2);
            CHECK(groups[at].hits[0].record.id == static_cast<std::int64_t>(2 * at - 2));
            CHECK(groups[at].hits[1].record.id == static_cast<std::int64_t>(2 * at - 1));
        }
    };
    check(ask().group_by<&Song::artist>(20, 3).run());
    check(ask().group_by<&Song::label>(20, 3).run());
    check(ask().group_by<&Song::rating>(20, 3).run());
    check(ask().exact().group_by<&Song::rating>(20, 3).run());
    CHECK(ask().group_by<&Song::label>(20, 3).run()[0].value == std::nullopt);
    CHECK(ask().group_by<&Song::label>(20, 3).run()[10].value == "label 9");
    CHECK(ask().within(6000).group_by<&Song::artist>(20).run().size() == 11);
    CHECK(ask().within(1000).group_by<&Song::artist>(20).run().size() == 3);
}

TEST_CASE("Groups obey conditions and a radius, and a snapshot groups what it shows") {
    Shelf<kith::Hnsw<>> shelf;
    const Song query = song(5001);
    const auto snapshot = shelf.collection.snapshot();
    const auto condition = field<&Song::year> >= 5 && !(field<&Song::label> == "label 3");
    const auto holds = [&](const Song& one) { return kith::evaluate(condition, one); };
    const auto ask = [&] { return snapshot.nearest<&Song::mood>(query.mood).exact(); };
    const auto check = [&] {
        check_equal(ask().where(condition).group_by<&Song::artist>(8, 3).run(),
                    shelf.naive<&Song::artist>(query, 8, 3, holds));
        check_equal(ask().within(0.2).where(condition).group_by<&Song::genre>(12, 4).run(),
                    shelf.naive<&Song::genre>(query, 12, 4, holds, 0.2F));
        check_equal(ask().within(0.15).group_by<&Song::label>(20, 50).run(),
                    shelf.naive<&Song::label>(query, 20, 50, everything, 0.15F));
        CHECK(ask().where("FALSE").group_by<&Song::genre>(5).run().empty());
        CHECK(ask().within(0).group_by<&Song::genre>(5).run().empty());
    };
    check();
    shelf.collection.erase_where("year >= 0");
    check();
}

TEST_CASE("Groups that nobody can mean are refused") {
    const Collection<Songs<kith::Flat>> songs(kith::in_memory);
    const auto ask = [&] { return songs.nearest<&Song::mood>(song(1).mood); };
    CHECK(ask().group_by<&Song::genre>(3, 3).run().empty());
    const auto refused = [&](auto query) { return raised([&] { static_cast<void>(query.run()); }); };
    CHECK(refused(ask().group_by<&Song::genre>(0)).code == Errc::invalid_argument);
    CHECK(refused(ask().group_by<&Song::genre>(0)).says("groups is 0"));
    CHECK(refused(ask().group_by<&Song::genre>(1, 0)).says("per_group is 0"));
    CHECK(refused(ask().limit(5).group_by<&Song::genre>(1)).says("limit and group_by"));
    CHECK(refused(ask().within(-1).group_by<&Song::genre>(1)).says("below 0"));
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(ask().group_by<&Song::genre>(most, most).run().empty());
}
