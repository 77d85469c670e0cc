// tests/schema/codec_test.cpp — rows: what goes in comes out, and damage comes out as false.
#include "metrics.hpp"
#include "support/catch.hpp"

#include "kith/core/random.hpp"
#include "kith/schema.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

enum class Small : std::uint8_t { none = 0, some = 7, most = 255 };
enum class Signed : std::int64_t { low = std::numeric_limits<std::int64_t>::min(), high = 5 };

/// Every kind, bare, optional, in a list, and both.
struct Everything {
    std::string key;
    bool flag = false;
    std::int32_t i32 = 0;
    std::int64_t i64 = 0;
    std::uint32_t u32 = 0;
    std::uint64_t u64 = 0;
    float f32 = 0;
    double f64 = 0;
    std::string text;
    Small small = Small::none;
    Signed wide = Signed::high;
    std::array<float, 3> unlisted{};
    std::array<float, 2> listed{};
    std::optional<bool> maybe_flag;
    std::optional<std::int32_t> maybe_i32;
    std::optional<std::uint64_t> maybe_u64;
    std::optional<float> maybe_f32;
    std::optional<std::string> maybe_text;
    std::optional<Small> maybe_small;
    std::vector<bool> flags;
    std::vector<std::int64_t> numbers;
    std::vector<double> reals;
    std::vector<std::string> texts;
    std::vector<Small> smalls;
    std::optional<std::vector<std::string>> maybe_texts;
    std::optional<std::vector<bool>> maybe_flags;

    friend bool operator==(const Everything&, const Everything&) = default;
};

using Schema =
    kith::Schema<Everything, kith::Key<&Everything::key>, kith::VectorField<&Everything::listed, kith_test::Euclid>>;

Everything full() {
    Everything record;
    record.key = "key";
    record.flag = true;
    record.i32 = std::numeric_limits<std::int32_t>::min();
    record.i64 = std::numeric_limits<std::int64_t>::max();
    record.u32 = std::numeric_limits<std::uint32_t>::max();
    record.u64 = std::numeric_limits<std::uint64_t>::max();
    record.f32 = -std::numeric_limits<float>::denorm_min();
    record.f64 = std::numeric_limits<double>::infinity();
    record.text = std::string("zero \0 byte", 11);
    record.small = Small::most;
    record.wide = Signed::low;
    record.unlisted = {1.5f, -0.0f, 3e38f};
    record.maybe_flag = false;
    record.maybe_i32 = -1;
    record.maybe_u64 = 0;
    record.maybe_f32 = 0.1f;
    record.maybe_text = "";
    record.maybe_small = Small::some;
    record.flags = {true, false, true};
    record.numbers = {0, -1, std::numeric_limits<std::int64_t>::min()};
    record.reals = {0.1, -1e300};
    record.texts = {"", "naïve", std::string(300, 'x')};
    record.smalls = {Small::some, Small::none};
    record.maybe_texts = std::vector<std::string>{"one"};
    record.maybe_flags = std::vector<bool>{};
    return record;
}

std::string row_of(const Everything& record) {
    std::string row;
    Schema::encode_row(record, row);
    return row;
}

/// Decodes from memory of exactly the row's size, so that a sanitizer sees a read past its end.
bool decode(std::string_view row, Everything& record) {
    const auto exact = std::make_unique<char[]>(row.size());
    std::memcpy(exact.get(), row.data(), row.size());
    return Schema::decode_row(std::string_view(exact.get(), row.size()), record);
}

Everything random_record(kith::SplitMix64& random) {
    const auto text = [&] {
        std::string made(random.below(20), '\0');
        for (char& letter : made) letter = static_cast<char>(random.below(256));
        return made;
    };
    const auto coin = [&] { return random.below(2) == 0; };
    Everything record;
    record.key = text();
    record.flag = coin();
    record.i32 = static_cast<std::int32_t>(random());
    record.i64 = static_cast<std::int64_t>(random());
    record.u32 = static_cast<std::uint32_t>(random());
    record.u64 = random();
    record.f32 = static_cast<float>(random.uniform());
    record.f64 = random.uniform();
    record.text = text();
    record.small = static_cast<Small>(random.below(256));
    record.wide = static_cast<Signed>(random());
    if (coin()) record.maybe_flag = coin();
    if (coin()) record.maybe_i32 = static_cast<std::int32_t>(random());
    if (coin()) record.maybe_u64 = random();
    if (coin()) record.maybe_f32 = static_cast<float>(random.uniform());
    if (coin()) record.maybe_text = text();
    if (coin()) record.maybe_small = static_cast<Small>(random.below(256));
    for (auto left = random.below(5); left > 0; --left) record.flags.push_back(coin());
    for (auto left = random.below(5); left > 0; --left) record.numbers.push_back(static_cast<std::int64_t>(random()));
    for (auto left = random.below(5); left > 0; --left) record.texts.push_back(text());
    if (coin()) record.maybe_texts.emplace(random.below(4), text());
    if (coin()) record.maybe_flags.emplace(random.below(4), coin());
    return record;
}

TEST_CASE("A row gives back what was put in") {
    Everything read;
    REQUIRE(decode(row_of(full()), read));
    CHECK(read == full());

    // Into a record that held other values, and the nulls are null again.
    REQUIRE(decode(row_of(Everything{}), read));
    CHECK(read == Everything{});

    kith::SplitMix64 random(7);
    for (int round = 0; round < 300; ++round) {
        const Everything record = random_record(random);
        REQUIRE(decode(row_of(record), read));
        REQUIRE(read == record);
    }
}

TEST_CASE("Numbers keep every bit, NaN and the sign of zero included") {
    Everything record;
    record.f64 = -std::numeric_limits<double>::quiet_NaN();
    record.f32 = -0.0f;
    Everything read;
    REQUIRE(decode(row_of(record), read));
    CHECK(std::memcmp(&read.f64, &record.f64, sizeof(double)) == 0);
    CHECK(std::signbit(read.f32));
}

TEST_CASE("A huge value is a value like any other") {
    Everything record;
    record.text.assign(3'000'000, 'x');
    record.numbers.assign(200'000, -5);
    Everything read;
    REQUIRE(decode(row_of(record), read));
    CHECK(read == record);
}

TEST_CASE("The vector of a VectorField is no part of the row and is left alone") {
    Everything record = full();
    record.listed = {1, 2};
    CHECK(row_of(record) == row_of(full()));
    Everything read;
    read.listed = {3, 4};
    REQUIRE(decode(row_of(record), read));
    CHECK((read.listed == std::array<float, 2>{3, 4}));
}

struct Sample {
    std::int32_t id = 0;
    std::optional<std::string> name;
    std::vector<std::uint32_t> counts;
    std::optional<float> weight;
    bool open = false;
};

TEST_CASE("The bytes of a row stay what they were, for they are stored") {
    using Samples = kith::Schema<Sample, kith::Key<&Sample::id>>;
    std::string row = "before";
    Samples::encode_row({.id = -2, .name = "ab", .counts = {1, 258}, .weight = std::nullopt, .open = true}, row);
    const std::string expected = std::string("before") + std::string(
                                                             "\x01\x05"          // format, fields
                                                             "\x02"              // the second nullable field is null
                                                             "\xfe\xff\xff\xff"  // id
                                                             "\x02"
                                                             "ab"                                    // name
                                                             "\x02\x01\x00\x00\x00\x02\x01\x00\x00"  // counts
                                                             "\x01",                                 // open
                                                             20);
    CHECK(row == expected);
}

TEST_CASE("A row that is cut anywhere, or has a byte too many, is refused") {
    const std::string row = row_of(full());
    Everything read;
    for (std::size_t size = 0; size < row.size(); ++size) {
        REQUIRE_FALSE(decode(std::string_view(row).substr(0, size), read));
    }
    CHECK_FALSE(decode(row + '\0', read));
    CHECK_FALSE(decode(row + row, read));
}

TEST_CASE("A flipped bit gives a valid record or a refusal, never anything worse") {
    const std::string row = row_of(full());
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < 8 * row.size(); ++bit) {
        std::string damaged = row;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        Everything read;
        if (!decode(damaged, read)) {
            ++refused;
            continue;
        }
        Everything again;
        REQUIRE(decode(row_of(read), again));
        REQUIRE(row_of(again) == row_of(read));
    }
    CHECK(refused > 8 * 4);  // at the least the format, the count and the lengths
}

TEST_CASE("Any bytes at all are refused or read, and a count never makes a reader allocate more than the row") {
    kith::SplitMix64 random(11);
    const std::string head = row_of(full()).substr(0, 2);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = round % 4 == 0 ? std::string() : head;
        for (auto left = random.below(120); left > 0; --left) {
            // Mostly small bytes, so that lengths and counts are often believable.
            bytes.push_back(static_cast<char>(random.below(3) == 0 ? random.below(256) : random.below(4)));
        }
        Everything read;
        if (decode(bytes, read)) {
            Everything again;
            REQUIRE(decode(row_of(read), again));
        }
    }
}

struct Number {
    std::string key;
    std::uint32_t value = 0;
};
struct Enumerated {
    std::string key;
    Small value = Small::none;
};
struct NumberAndMore {
    std::string key;
    std::uint32_t value = 0;
    bool more = false;
};

TEST_CASE("A row of another schema, another format or with a number its enum cannot hold is refused") {
    using Numbers = kith::Schema<Number, kith::Key<&Number::key>>;
    using Enumerations = kith::Schema<Enumerated, kith::Key<&Enumerated::key>>;
    using More = kith::Schema<NumberAndMore, kith::Key<&NumberAndMore::key>>;
    std::string row;
    Numbers::encode_row({"key", 255}, row);
    Enumerated read;
    REQUIRE(Enumerations::decode_row(row, read));
    CHECK(read.value == Small::most);

    NumberAndMore more;
    CHECK_FALSE(More::decode_row(row, more));
    std::string newer = row;
    newer[0] = 2;
    Number number;
    CHECK_FALSE(Numbers::decode_row(newer, number));

    row.clear();
    Numbers::encode_row({"key", 256}, row);
    CHECK_FALSE(Enumerations::decode_row(row, read));
}

}  // namespace
