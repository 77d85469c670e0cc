// tests/collection/where_test.cpp — a search takes its conditions in C++ and as text, of every kind of field.
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include "kith/collection.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

using kith::field;
using kith_test::TemporaryDirectory;

enum class Color : std::int32_t { red, green };

struct Photo {
    std::string id;
    std::int32_t year = 0;
    Color color = Color::red;
    kith::Timestamp taken{};
    kith::Json meta;
    std::optional<kith::Json> notes;
    std::vector<std::string> tags;
    std::array<float, 2> look{};
};

using Photos = kith::Schema<Photo, kith::Key<&Photo::id>, kith::Field<&Photo::year, kith::indexed>,
                            kith::VectorField<&Photo::look, kith::L2>>;
using Collection = kith::Collection<Photos>;

constexpr std::array<float, 2> origin{};

std::vector<Photo> photos() {
    std::vector<Photo> made;
    for (std::int32_t at = 0; at < 20; ++at) {
        Photo photo;
        photo.id = "p" + std::to_string(at);
        photo.year = 2000 + at;
        photo.color = at % 2 == 0 ? Color::red : Color::green;
        photo.taken = kith::Timestamp(std::chrono::hours(24 * at));
        photo.meta.text =
            "{\"camera\": {\"name\": \"c" + std::to_string(at % 3) + "\"}, \"iso\": " + std::to_string(100 * at) + "}";
        if (at % 4 == 0) photo.notes = kith::Json{"[1, 2]"};
        photo.tags = {"t" + std::to_string(at % 5)};
        photo.look = {static_cast<float>(at), 0};
        made.push_back(photo);
    }
    return made;
}

/// The keys of what a search finds, nearest first.
template <class... Wanted>
std::vector<std::string> found(const Collection& collection, const Wanted&... wanted) {
    std::vector<std::string> keys;
    for (const auto& hit : collection.nearest<&Photo::look>(origin).where(wanted...).limit(20).run()) {
        keys.push_back(hit.record.id);
    }
    return keys;
}

using Keys = std::vector<std::string>;

void check_conditions(const Collection& collection) {
    CHECK(found(collection, field<&Photo::year> >= 2018) == Keys{"p18", "p19"});
    CHECK(found(collection, "year >= ?", 2018) == Keys{"p18", "p19"});
    CHECK(found(collection, "year >= 2018") == Keys{"p18", "p19"});
    CHECK(found(collection, std::string("id IN ('p3', 'p5')")) == Keys{"p3", "p5"});
    CHECK(found(collection, "id in ?", Keys{"p5", "p3"}) == Keys{"p3", "p5"});
    CHECK(found(collection, "color = 'green' and year < 2004") == Keys{"p1", "p3"});
    CHECK(found(collection, "taken between '1970-01-03' and '1970-01-04T00:00Z'") == Keys{"p2", "p3"});
    CHECK(found(collection, "meta.camera.name = 'c1' and meta.iso > 1000") == Keys{"p13", "p16", "p19"});
    CHECK(found(collection, field<&Photo::meta>["camera"]["name"] == "c1" && field<&Photo::meta>["iso"] > 1000) ==
          Keys{"p13", "p16", "p19"});
    CHECK(found(collection, "meta.iso = (year - 2000) * 100 and notes[1] = 2 and year % 8 = 0") ==
          Keys{"p0", "p8", "p16"});
    CHECK(found(collection, "notes is null and tags contains 't1' and year > 2006") == Keys{"p11"});
}

TEST_CASE("A search takes conditions in C++ and as text, in memory and in a directory") {
    Collection in_memory(kith::in_memory);
    in_memory.upsert(photos());
    check_conditions(in_memory);

    const TemporaryDirectory directory;
    {
        Collection stored(directory / "photos");
        stored.upsert(photos());
        check_conditions(stored);
        stored.checkpoint();
    }
    const Collection again(directory / "photos");
    check_conditions(again);
}

TEST_CASE("A condition that the compiler reads, and one that narrows another") {
    Collection collection(kith::in_memory);
    collection.upsert(photos());
    const auto query = [&] { return collection.nearest<&Photo::look>(origin); };
    CHECK(query().where<"year >= 2018">().run().size() == 2);
    CHECK(query().where<"year >= ?">(2018).where("year < 2019").run().size() == 1);
    const std::vector<std::array<float, 2>> both{origin, origin};
    const auto hits = collection.nearest_many<&Photo::look>(both).where("year >= ?", 2018).where<"year < 2019">().run();
    REQUIRE(hits.size() == 2);
    CHECK(hits[1].size() == 1);
}

TEST_CASE("A condition that is none is refused where it is given") {
    Collection collection(kith::in_memory);
    CHECK_THROWS_WITH(collection.nearest<&Photo::look>(origin).where("yaer >= 2018"),
                      "condition: there is no column 'yaer'; did you mean 'year'?\n"
                      "  yaer >= 2018\n"
                      "  ^~~~");
}

TEST_CASE("JSON that is none is refused, and nothing is written") {
    Collection collection(kith::in_memory);
    Photo photo = photos().front();
    photo.meta.text = "{\"a\": }";
    CHECK_THROWS_WITH(collection.upsert(photo),
                      "record 0, field 'meta': byte 6 of the JSON: expected a value; nothing was written");
    CHECK_FALSE(collection.get("p0").has_value());
}

}  // namespace
