// tests/collection/other_index_test.cpp — a collection opens with another index than it was made with: graphs are derived
// from vectors, so answers stay right, and segments are made anew.
#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/index.hpp"
#include "kith/quantize.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::Maintenance;
using kith::OpenMode;
using kith::Options;
using kith_test::FileFaults;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

struct Item {
    std::uint32_t id = 0;
    std::array<float, 16> vector{};

    friend bool operator==(const Item&, const Item&) = default;
};

template <class Index, class Metric = kith::L2>
using Items = kith::Schema<Item, kith::Key<&Item::id>, kith::VectorField<&Item::vector, Metric, Index>>;

using FewLinks = kith::Hnsw<kith::HnswParams{.max_links = 8}>;
using ManyLinks = kith::Hnsw<kith::HnswParams{.max_links = 24, .ef_construction = 60}>;
using OverCodes = kith::Hnsw<kith::HnswParams{.max_links = 8}, kith::Sq8>;

constexpr std::uint32_t item_count = 1300;

Item item(std::uint32_t id) {
    kith::SplitMix64 random(id);
    Item made;
    made.id = id;
    for (float& element : made.vector) element = static_cast<float>(random.uniform()) - 0.5F;
    return made;
}

std::vector<Item> items(std::uint32_t first, std::uint32_t count) {
    std::vector<Item> made;
    for (std::uint32_t id = first; id < first + count; ++id) made.push_back(item(id));
    return made;
}

Options on_call(OpenMode mode = OpenMode::create_or_open) {
    Options options;
    options.mode = mode;
    options.maintenance = Maintenance::on_call;
    return options;
}

/// Two sealed segments, with a record deleted in the first, and some records in the log.
template <class Index>
void make(const std::filesystem::path& path) {
    Collection<Items<Index>> collection(path, on_call());
    collection.insert(items(0, 1200));
    collection.checkpoint();
    collection.insert(items(1200, 60));
    collection.checkpoint();
    collection.erase(7U);
    collection.insert(items(1260, item_count - 1260));
}

template <class Index>
void expect_all(const Collection<Items<Index>>& collection) {
    REQUIRE(collection.size() == item_count - 1);
    for (std::uint32_t id = 0; id < item_count; id += 37) {
        if (id == 7) continue;
        REQUIRE(collection.get(id) == item(id));
        const auto asked = item(id).vector;
        const auto near = collection.template nearest<&Item::vector>(asked).limit(5).run();
        const auto exact = collection.template nearest<&Item::vector>(asked).limit(5).exact().run();
        REQUIRE(near.size() == 5);
        REQUIRE(near[0].record.id == id);
        REQUIRE(exact[0].record.id == id);
    }
}

template <class Index>
std::uint64_t linked(const Collection<Items<Index>>& collection) {
    std::uint64_t sum = 0;
    for (const kith::SegmentStats& segment : collection.stats().segments) sum += segment.linked;
    return sum;
}

/// Opens what `Made` made with `Now`, and goes back.
template <class Made, class Now>
void changes() {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "items.kith";
    make<Made>(path);
    {
        const Collection<Items<Now>> reader(path, on_call(OpenMode::read_only));
        expect_all(reader);
    }
    {
        Options options = on_call();
        options.cache_bytes = 1 << 20;
        Collection<Items<Now>> collection(path, options);
        expect_all(collection);
        CHECK(collection.stats().segments[0].linked == 0);
        CHECK(collection.stats().segments[1].linked == 0);
        collection.checkpoint();
        expect_all(collection);
        collection.compact();
        CHECK(collection.stats().segments.size() == 1);
        CHECK(linked(collection) == item_count - 1);
        expect_all(collection);
    }
    CHECK(kith::verify(path).clean());
    {
        Collection<Items<Now>> again(path, on_call());
        CHECK(linked(again) == item_count - 1);
        expect_all(again);
    }
    // The first program finds it changed, likewise; and automatic maintenance needs no call.
    Collection<Items<Made>> back(path);
    expect_all(back);
    for (int turn = 0; turn < 20'000 && linked(back) != item_count - 1; ++turn) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(linked(back) == item_count - 1);
    expect_all(back);
    back.upsert(item(7));
    CHECK(back.size() == item_count);
}

}  // namespace

TEST_CASE("A collection opens with another kind of index, answers exactly, and is made anew", "[threads]") {
    changes<FewLinks, kith::Flat>();
    changes<FewLinks, OverCodes>();
    changes<kith::Ivf<>, FewLinks>();
}

TEST_CASE("Other parameters of the same index serve the graphs that are there, and make the next ones") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "items.kith";
    make<FewLinks>(path);
    {
        Collection<Items<ManyLinks>> collection(path, on_call());
        expect_all(collection);
        CHECK(collection.stats().segments[0].linked == 1200);
        collection.checkpoint();
        collection.compact();
        expect_all(collection);
        CHECK(linked(collection) == item_count - 1);
    }
    CHECK(kith::verify(path).clean());
    const Collection<Items<FewLinks>> back(path, on_call(OpenMode::read_only));
    expect_all(back);
}

TEST_CASE("What rows hold cannot change with the index: another metric is refused by both names") {
    const TemporaryDirectory directory;
    const auto path = directory / "items.kith";
    make<FewLinks>(path);
    const Raised refused = raised([&] { Collection<Items<kith::Flat, kith::Cosine>>(path, on_call()); });
    CHECK(refused.code == Errc::schema_mismatch);
    CHECK(refused.says("field 'vector': stored vector 16 metric=l2, now vector 16 metric=cosine"));
}
