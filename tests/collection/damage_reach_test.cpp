// tests/collection/damage_reach_test.cpp — damage in a sealed file is told to who reads it there, and to nobody else.
#include "kith/collection.hpp"
#include "kith/distance.hpp"
#include "kith/index.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith_test::bytes_of;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t dim = 512;
constexpr std::int64_t sketch_count = 200;
constexpr std::size_t block_bytes = 65536, payload_at = 4096, rows_at = payload_at + 64;  // see docs/format.md

struct Sketch {
    std::int64_t id = 0;
    std::array<float, dim> strokes{};
    std::array<float, 8> mood{};

    friend bool operator==(const Sketch&, const Sketch&) = default;
};

using Sketches = kith::Schema<Sketch, kith::Key<&Sketch::id>, kith::VectorField<&Sketch::strokes, kith::L2, kith::Flat>,
                              kith::VectorField<&Sketch::mood, kith::L2>>;

Sketch sketch(std::int64_t number) {
    Sketch made;
    made.id = number;
    made.strokes.fill(static_cast<float>(number));
    made.mood.fill(static_cast<float>(-number));
    return made;
}

void make_sketches(const fs::path& path) {
    Collection<Sketches> collection(path);
    std::vector<Sketch> all;
    for (std::int64_t number = 0; number < sketch_count; ++number) all.push_back(sketch(number));
    collection.insert(all);
    collection.checkpoint();
}

/// Whether the strokes of record `number` have bytes in a block of their file.
bool stands_in(std::int64_t number, std::size_t block) {
    const std::size_t begin = rows_at + static_cast<std::size_t>(number) * dim * sizeof(float);
    return begin / block_bytes <= block && block <= (begin + dim * sizeof(float) - 1) / block_bytes;
}

fs::path file_in(const fs::path& collection, const std::string& name) {
    return collection / "segments" / "0000000000" / name;
}

/// Opens to read, mapped whole (0) or through a cache.
Collection<Sketches> opened(const fs::path& path, std::uint64_t cache_bytes) {
    kith::Options options;
    options.mode = kith::OpenMode::read_only;
    options.cache_bytes = cache_bytes;
    return Collection<Sketches>(path, options);
}

}  // namespace

TEST_CASE("One record is read though its file is damaged elsewhere, and is corrupt where it is damaged itself") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "sketches.kith";
    make_sketches(path);
    const fs::path file = file_in(path, "strokes.rows");
    const std::string whole = bytes_of(file);
    const std::size_t blocks = (rows_at + sketch_count * dim * sizeof(float) + block_bytes - 1) / block_bytes;
    REQUIRE(blocks == 7);
    for (const std::uint64_t cache_bytes : {std::uint64_t{0}, std::uint64_t{1} << 20}) {
        // Through a cache, opening reads the first block as a whole, for the header in it.
        for (std::size_t block = cache_bytes == 0 ? 0 : 1; block < blocks; ++block) {
            CAPTURE(cache_bytes, block);
            // In the first block behind what opening compares, and elsewhere in the middle.
            set_bytes(file, flipped(whole, block * block_bytes + (block == 0 ? rows_at + 40 : 10'000)));
            const Collection<Sketches> collection = opened(path, cache_bytes);
            std::vector<std::int64_t> damaged;
            for (std::int64_t number = 0; number < sketch_count; ++number) {
                if (stands_in(number, block)) {
                    damaged.push_back(number);
                } else {
                    REQUIRE(collection.get(number) == sketch(number));
                }
            }
            REQUIRE(damaged.size() >= 10);
            for (const std::int64_t number : damaged) {
                const Raised trouble = raised([&] { static_cast<void>(collection.get(number)); });
                REQUIRE(trouble.code == Errc::corrupt);
                REQUIRE(trouble.says("strokes.rows"));
                REQUIRE(trouble.says("at byte " + std::to_string(std::max(block * block_bytes, payload_at))));
            }
            const auto search = [&] {
                static_cast<void>(collection.nearest<&Sketch::strokes>(sketch(0).strokes).limit(1).run());
            };
            CHECK(raised(search).code == Errc::corrupt);
        }
    }
    set_bytes(file, whole);
    CHECK(opened(path, 0).get(7) == sketch(7));
}

TEST_CASE("A damaged graph stops searches of its field, and neither look-ups nor searches of another field") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "sketches.kith";
    make_sketches(path);
    const fs::path file = file_in(path, "mood.graph");
    set_bytes(file, flipped(bytes_of(file), fs::file_size(file) - 100));
    const Collection<Sketches> collection = opened(path, 0);
    for (std::int64_t number = 0; number < sketch_count; ++number) REQUIRE(collection.get(number) == sketch(number));
    CHECK(collection.nearest<&Sketch::strokes>(sketch(3).strokes).limit(1).run().at(0).record == sketch(3));
    const Raised trouble =
        raised([&] { static_cast<void>(collection.nearest<&Sketch::mood>(sketch(3).mood).limit(1).run()); });
    CHECK(trouble.code == Errc::corrupt);
    CHECK(trouble.says("mood.graph"));
    CHECK(collection.get(3) == sketch(3));
}

TEST_CASE("A record beside damage is updated, and one that is damaged is not") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "sketches.kith";
    make_sketches(path);
    const fs::path file = file_in(path, "strokes.rows");
    set_bytes(file, flipped(bytes_of(file), 3 * block_bytes + 10'000));
    Collection<Sketches> collection(path);
    std::int64_t damaged = 0;
    while (!stands_in(damaged, 3)) ++damaged;
    const auto raise_mood = [](Sketch& one) { one.mood[0] = 1000; };
    collection.update(0, raise_mood);
    CHECK(raised([&] { collection.update(damaged, raise_mood); }).code == Errc::corrupt);
    Sketch expected = sketch(0);
    expected.mood[0] = 1000;
    CHECK(collection.get(0) == expected);
    CHECK(collection.size() == sketch_count);
}
