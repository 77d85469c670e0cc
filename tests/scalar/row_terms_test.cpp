// tests/scalar/row_terms_test.cpp — a stored row comes apart into the terms of its members.
#include "support/catch.hpp"

#include "kith/scalar/row_terms.hpp"
#include "kith/schema.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::detail::MemberTerms;
using kith::detail::RowTerms;

enum class Grade : std::int8_t { low = -1, high = 1 };

struct Metric {
    static constexpr std::string_view name = "l2";
};

struct Everything {
    std::string key;
    std::int32_t number = 0;
    std::array<float, 4> vector{};
    std::optional<std::int64_t> large;
    std::uint32_t small = 0;
    std::array<std::int8_t, 3> plain{};
    std::optional<std::vector<std::string>> tags;
    std::vector<bool> flags;
    std::uint64_t count = 0;
    float weight = 0;
    std::optional<double> price;
    Grade grade = Grade::low;
    bool open = false;
    std::optional<kith::Timestamp> seen;
};

using Schema = kith::Schema<Everything, kith::Key<&Everything::key>, kith::VectorField<&Everything::vector, Metric>>;

std::vector<std::string> strings(const MemberTerms& terms) {
    if (terms.null()) return {"null"};
    std::vector<std::string> made;
    for (std::size_t at = 0; at < terms.size(); ++at) made.emplace_back(terms[at]);
    return made;
}

template <class T>
std::vector<std::string> strings_of(const T& member) {
    MemberTerms terms;
    member_terms(member, terms);
    return strings(terms);
}

std::map<std::size_t, std::vector<std::string>> expected(const Everything& one) {
    return {{0, strings_of(one.key)},    {1, strings_of(one.number)}, {3, strings_of(one.large)},
            {4, strings_of(one.small)},  {6, strings_of(one.tags)},   {7, strings_of(one.flags)},
            {8, strings_of(one.count)},  {9, strings_of(one.weight)}, {10, strings_of(one.price)},
            {11, strings_of(one.grade)}, {12, strings_of(one.open)},  {13, strings_of(one.seen)}};
}

const std::vector<Everything>& samples() {
    static const std::vector<Everything> made = [] {
        std::vector<Everything> three(3);
        three[1].key = "k";
        three[1].number = -5;
        three[1].large = 1;
        three[1].tags = std::vector<std::string>{"a", "", "a"};
        three[1].flags = {true, false};
        three[1].price = -0.0;
        three[2].small = 7;
        three[2].plain = {1, 2, 3};
        three[2].tags = std::vector<std::string>();
        three[2].count = 9;
        three[2].weight = -1;
        three[2].grade = Grade::high;
        three[2].open = true;
        three[2].seen = kith::Timestamp(std::chrono::microseconds(-5));
        return three;
    }();
    return made;
}

TEST_CASE("A row comes apart into the terms of its members, whatever their types") {
    RowTerms rows(Schema::fields);
    for (const Everything& one : samples()) {
        std::string row;
        Schema::encode_row(one, row);
        std::map<std::size_t, std::vector<std::string>> read;
        CHECK(rows.read(row, [&](std::size_t field, const MemberTerms& terms) { read[field] = strings(terms); }));
        CHECK(read == expected(one));
    }
}

TEST_CASE("A row that is cut or has bytes behind it is refused") {
    RowTerms rows(Schema::fields);
    std::string row;
    Schema::encode_row(samples()[1], row);
    const auto nothing = [](std::size_t, const MemberTerms&) {};
    for (std::size_t size = 0; size < row.size(); ++size) {
        CHECK_FALSE(rows.read(std::string_view(row).substr(0, size), nothing));
    }
    CHECK_FALSE(rows.read(row + 'x', nothing));
    CHECK(rows.read(row, nothing));
}

}  // namespace
