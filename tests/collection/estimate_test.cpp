// tests/collection/estimate_test.cpp — what a collection is said to take is what its directory holds.
#include "kith/collection/estimate.hpp"

#include "collection/article.hpp"
#include "collection/settings.hpp"
#include "collection/things.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

using kith::Estimate;
using kith::Options;
using kith::RecordBytes;

namespace {

std::uint64_t directory_bytes(const std::filesystem::path& path) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.is_regular_file() && entry.path().parent_path().filename() != "log" &&
            entry.path().filename() != "lock.mdb") {
            bytes += entry.file_size();
        }
    }
    return bytes;
}

Estimate estimate(RecordBytes record, std::uint64_t records, const Options& options) {
    return kith::detail::estimate(kith::detail::engine_schema<kith_test::Articles>(), record, records, options);
}

}  // namespace

TEST_CASE("A directory holds about what it is said to") {
    const kith_test::TemporaryDirectory directory;
    Options options;
    options.segment_capacity = 5000;
    options.durability = kith::Durability::on_checkpoint();
    kith::Collection<kith_test::Articles> collection(directory / "articles", options);
    for (int first = 0; first < 12000; first += 1000) collection.upsert(kith_test::articles(first, 1000));
    collection.checkpoint();
    const auto typical = kith_test::article(6000);
    std::string row;
    kith_test::Articles::encode_row(typical, row);
    const RecordBytes record{row.size(), typical.id.size()};
    const auto said = static_cast<double>(estimate(record, 12000, options).disk_bytes);
    CHECK(said == Approx(static_cast<double>(directory_bytes(directory / "articles"))).epsilon(0.2));
}

TEST_CASE("What many columns and indexes take is said, on disk and in memory") {
    constexpr int count = 6000;
    const kith_test::TemporaryDirectory directory;
    kith_test::ThingMaker maker(1);
    std::vector<kith_test::Thing> things;
    for (int number = 0; number < count; ++number) things.push_back(maker.thing(number));
    Options options = kith_test::on_call();
    options.segment_capacity = count;
    options.durability = kith::Durability::on_checkpoint();
    kith::detail::GrowingScalars growing(kith_test::Things::fields, count);
    RecordBytes record;
    std::string row;
    for (const kith_test::Thing& thing : things) {
        row.clear();
        kith_test::Things::encode_row(thing, row);
        growing.append(row);
        record.row += row.size();
        record.key += thing.key.size();
    }
    record = {record.row / count, record.key / count};
    kith::Collection<kith_test::Things> collection(directory / "things", options);
    collection.upsert(things);
    collection.checkpoint();

    const auto said = static_cast<double>(collection.estimate(count, record, options).disk_bytes);
    CHECK(said == Approx(static_cast<double>(directory_bytes(directory / "things"))).epsilon(0.2));
    const auto space = kith::detail::scalar_space(kith_test::Things::fields, record.row, count);
    CHECK(static_cast<double>(space.memory_bytes) == Approx(static_cast<double>(growing.bytes())).epsilon(0.3));
}

TEST_CASE("What columns and indexes are made in is said, and does not grow with texts that no index has") {
    using Plain = kith::Schema<kith_test::Article, kith::Key<&kith_test::Article::id>>;
    const auto said = [](std::span<const kith::FieldInfo> fields, std::size_t row, kith::Slot count,
                         std::uint64_t memory) {
        Options options;
        options.memory_bytes = memory;
        return kith::detail::sealing_bytes(fields, row, count, kith::detail::scalar_work_bytes(options));
    };
    constexpr std::uint64_t mib = std::uint64_t{1} << 20;
    CHECK(said(Plain::fields, 5000, 1'000'000, 0) == 64 * mib);
    CHECK(said(Plain::fields, 5000, 1'000'000, 64 * mib) < 40 * mib);      // the ends of texts and lists
    CHECK(said(Plain::fields, 5000, 100, 0) < 8 * mib);                    // what there is
    CHECK(said(kith_test::Things::fields, 5000, 100'000, 0) > 500 * mib);  // some of whose texts have an index
}

TEST_CASE("Estimates grow as collections do") {
    Options options;
    options.segment_capacity = 1000;
    const RecordBytes record{100, 20};
    const Estimate none = estimate(record, 0, options), few = estimate(record, 100, options),
                   one = estimate(record, 1000, options), two = estimate(record, 2000, options),
                   many = estimate(record, 1'000'000, options);
    CHECK(none.disk_bytes > 0);
    CHECK(few.memory_bytes > none.memory_bytes);
    CHECK(one.memory_bytes > few.memory_bytes);
    CHECK(two.memory_bytes > one.memory_bytes);
    CHECK(many.memory_bytes == two.memory_bytes);  // the rest is sealed
    CHECK(many.disk_bytes > 400 * two.disk_bytes);
    CHECK(many.merge_disk_bytes == one.merge_disk_bytes);
    CHECK(estimate({5000, 20}, 1000, options).disk_bytes > 1000 * 5000);
}
