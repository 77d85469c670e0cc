// tests/collection/golden_test.cpp — collections that were written once, and open in every later version.
//
//   KITH_MAKE_GOLDEN=1 test_collection "[golden]"    makes tests/golden again; the README there says when that is right
#include "settings.hpp"

#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance.hpp"
#include "kith/index.hpp"
#include "kith/quantize.hpp"
#include "kith/storage/environment.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

using kith::Bits8;
using kith::Collection;
using kith::Half;
using kith_test::on_call;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path(KITH_TEST_SOURCES) / "golden";

/// Element `at` of what is number `number`: one of sixteen, so that the files are packed well.
unsigned sixteenth(std::int64_t number, unsigned at) {
    return static_cast<unsigned>(kith::mix64(static_cast<std::uint64_t>(number) * 64 + at) % 16);
}

enum class Tone : std::int32_t { grave = 1, light = 2 };

struct Poem {
    std::int64_t id = 0;
    std::string title;
    std::optional<double> rating;
    std::vector<std::string> words;
    Tone tone = Tone::grave;
    std::array<float, 4> meaning{};
    std::array<Half, 4> mood{};
    std::array<Bits8, 4> print{};
    std::array<float, 4> place{};
};

constexpr kith::HnswParams few_links{.max_links = 4, .ef_construction = 40};
using Lists = kith::Ivf<kith::IvfParams{.lists = 2}, kith::IvfRaw>;
using Poems =
    kith::Schema<Poem, kith::Key<&Poem::id>, kith::VectorField<&Poem::meaning, kith::Cosine, kith::Hnsw<few_links>>,
                 kith::VectorField<&Poem::mood, kith::L2, kith::Flat>,
                 kith::VectorField<&Poem::print, kith::Hamming, kith::Hnsw<few_links>>,
                 kith::VectorField<&Poem::place, kith::L2, Lists>>;

constexpr std::int64_t sealed_poems = 80, all_poems = 86, replaced = 21;

/// Erased before the checkpoint, and behind it.
bool is_erased(std::int64_t number) {
    return number == 7 || number == 33 || number == 64 || number == 12;
}

Poem poem(std::int64_t number) {
    Poem made;
    made.id = number;
    made.title = (number == replaced ? "again " : "poem ") + std::to_string(number);
    if (number % 3 == 0) made.rating = static_cast<double>(number) / 4;
    for (std::int64_t word = 0; word < number % 3; ++word) made.words.push_back("word" + std::to_string(word));
    made.tone = number % 2 == 0 ? Tone::grave : Tone::light;
    for (unsigned at = 0; at < 4; ++at) {
        made.meaning[at] = static_cast<float>(1 + sixteenth(number, at)) / 4;
        made.mood[at] = Half(static_cast<float>(sixteenth(number, at + 4)) / 8);
        made.print[at] = Bits8{static_cast<std::uint8_t>(16 * sixteenth(number, at + 8) + sixteenth(number, at + 12))};
        made.place[at] = static_cast<float>(sixteenth(number, at + 16)) - 8;
    }
    return made;
}

std::vector<Poem> poems(std::int64_t first, std::int64_t count) {
    std::vector<Poem> made;
    for (std::int64_t number = first; number < first + count; ++number) made.push_back(poem(number));
    return made;
}

/// Every member as text.
std::string shown(const Poem& poem) {
    std::string text = std::to_string(poem.id) + ',' + poem.title + ',' +
                       (poem.rating.has_value() ? std::to_string(*poem.rating) : "none") + ',' +
                       std::to_string(static_cast<int>(poem.tone));
    for (const std::string& word : poem.words) text += ',' + word;
    Poems::for_each_vector(poem, [&](std::size_t, auto elements) {
        text.append(reinterpret_cast<const char*>(elements.data()), elements.size_bytes());
    });
    return text;
}

struct Dot {
    std::int64_t id = 0;
    std::array<float, 4> place{};

    friend bool operator==(const Dot&, const Dot&) = default;
};

using Dots =
    kith::Schema<Dot, kith::Key<&Dot::id>, kith::VectorField<&Dot::place, kith::L2, kith::Hnsw<few_links, kith::Sq8>>>;

constexpr std::int64_t all_dots = 1024;  // as many as codes are made of

Dot dot(std::int64_t number) {
    Dot made{number, {}};
    for (unsigned at = 0; at < 4; ++at) made.place[at] = static_cast<float>(sixteenth(number, at));
    return made;
}

std::vector<Dot> dots() {
    std::vector<Dot> made;
    for (std::int64_t number = 0; number < all_dots; ++number) made.push_back(dot(number));
    return made;
}

/// The distances of the five nearest by the metric's own truth.
template <class M, auto Member, class Record, class Vector>
std::vector<float> nearest_distances(const std::vector<Record>& all, const Vector& query) {
    std::vector<float> found;
    for (const Record& one : all) found.push_back(M::distance(query.data(), (one.*Member).data(), query.size()));
    std::sort(found.begin(), found.end());
    found.resize(5);
    return found;
}

/// Whether searches of a field, exact and by its index, find what is nearest.
template <class M, auto Member, class C, class Record>
void check_search(const C& collection, const std::vector<Record>& all) {
    for (std::size_t at = 3; at < all.size(); at += all.size() / 7) {
        const auto& query = all[at].*Member;
        const std::vector<float> truth = nearest_distances<M, Member>(all, query);
        const auto exact = collection.template nearest<Member>(query).limit(5).exact().run();
        const auto walked = collection.template nearest<Member>(query).limit(5).ef_search(200).run();
        REQUIRE(exact.size() == 5);
        REQUIRE(walked.size() == 5);
        for (std::size_t rank = 0; rank < 5; ++rank) {
            CHECK(std::abs(exact[rank].distance - truth[rank]) <= 1e-5F);
            CHECK(std::abs(walked[rank].distance - truth[rank]) <= 1e-5F);
        }
    }
}

/// A copy of a golden collection; nothing where this machine or this build's LMDB has another format, and refuses it.
template <class Schema>
std::optional<Collection<Schema>> opened_copy(const char* name, const TemporaryDirectory& directory) {
    if (std::endian::native != std::endian::little) return std::nullopt;
    const fs::path path = directory / name;
    fs::copy(golden / name, path, fs::copy_options::recursive);
    constexpr std::uint32_t lmdb_0_9 = 1;  // on disk
    if (kith::detail::Environment::engine_format() != lmdb_0_9) {
        CHECK(raised([&] { Collection<Schema>{path}; }).code == kith::Errc::unsupported_version);
        return std::nullopt;
    }
    return Collection<Schema>(path);
}

/// Removes what is made again by whoever opens it.
void strip(const fs::path& collection) {
    fs::remove(collection / "LOCK");
    fs::remove(collection / "forward" / "lock.mdb");
}

}  // namespace

TEST_CASE("The golden poems open, with every kind of field, a merged segment, erased records and a log") {
    const TemporaryDirectory directory;
    const auto collection = opened_copy<Poems>("poems", directory);
    if (!collection.has_value()) return;
    CHECK(collection->recovery().replayed_batches == 3);
    REQUIRE(collection->stats().segments.size() >= 1);
    CHECK(collection->stats().segments[0].sealed);
    std::vector<Poem> expected;
    for (std::int64_t number = 0; number < all_poems; ++number) {
        const std::optional<Poem> found = collection->get(number);
        REQUIRE(found.has_value() == !is_erased(number));
        if (!found.has_value()) continue;
        CHECK(shown(*found) == shown(poem(number)));
        expected.push_back(poem(number));
    }
    CHECK(collection->size() == expected.size());
    std::size_t walked = 0;
    for (const Poem& one : collection->records()) {
        CHECK(shown(one) == shown(poem(one.id)));
        ++walked;
    }
    CHECK(walked == expected.size());
    check_search<kith::Cosine, &Poem::meaning>(*collection, expected);
    check_search<kith::L2, &Poem::mood>(*collection, expected);
    check_search<kith::Hamming, &Poem::print>(*collection, expected);
    check_search<kith::L2, &Poem::place>(*collection, expected);
}

TEST_CASE("The golden dots open, with a graph over codes") {
    const TemporaryDirectory directory;
    const auto collection = opened_copy<Dots>("dots", directory);
    if (!collection.has_value()) return;
    CHECK(collection->size() == static_cast<std::size_t>(all_dots));
    for (std::int64_t number = 0; number < all_dots; ++number) REQUIRE(collection->get(number) == dot(number));
    check_search<kith::L2, &Dot::place>(*collection, dots());
}

TEST_CASE("A golden collection is verified, written on, compacted and opened again") {
    const TemporaryDirectory directory;
    {
        auto collection = opened_copy<Poems>("poems", directory);
        if (!collection.has_value()) return;
        collection->insert(poems(all_poems, 10));
        collection->compact();
    }
    CHECK(kith::verify(directory / "poems").clean());
    const Collection<Poems> collection(directory / "poems");
    for (std::int64_t number = 0; number < all_poems + 10; ++number) {
        const std::optional<Poem> found = collection.get(number);
        REQUIRE(found.has_value() == !is_erased(number));
        if (found.has_value()) CHECK(shown(*found) == shown(poem(number)));
    }
}

// A tag that hides it would not be enough: ctest asks for the cases of a file by a tag of theirs, and gets hidden ones.
TEST_CASE("The golden collections are made when that is asked for", "[golden]") {
    if (std::getenv("KITH_MAKE_GOLDEN") == nullptr) return;
    fs::remove_all(golden / "poems");
    fs::remove_all(golden / "dots");
    {
        Collection<Poems> collection(golden / "poems", on_call());
        Poem older = poem(replaced);
        older.title = "poem";
        std::vector<Poem> first = poems(0, 40);
        first[replaced] = older;
        collection.insert(first);
        collection.checkpoint();
        collection.insert(poems(40, sealed_poems - 40));
        collection.erase(7);
        collection.compact();  // two segments become one
        collection.erase(33);
        collection.erase(64);
        collection.checkpoint();
        collection.insert(poems(sealed_poems, all_poems - sealed_poems));
        collection.upsert(poem(replaced));
        collection.erase(12);
    }
    {
        Collection<Dots> collection(golden / "dots", on_call());
        collection.insert(dots());
        collection.checkpoint();
    }
    strip(golden / "poems");
    strip(golden / "dots");
}
