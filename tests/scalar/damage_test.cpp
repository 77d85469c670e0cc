// tests/scalar/damage_test.cpp — whatever the bytes of an image, a reader answers or says that they are damaged.
#include "scalar/asked.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include "kith/scalar.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::FieldKind;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::ColumnFile;
using kith::detail::ColumnFileBuilder;
using kith::detail::ColumnScan;
using kith::detail::MemberTerms;
using kith::detail::ScalarIndex;
using kith::detail::ScalarIndexBuilder;
using kith::detail::ScalarQuestion;
using kith::detail::words_of;
using kith_test::raised;

constexpr Slot slots = 700;

std::vector<ScalarQuestion> all_questions() {
    return {ScalarQuestion::equal("a"),
            ScalarQuestion::any_of({"a", "b", "abc"}),
            ScalarQuestion::all_of({"a", "c"}),
            ScalarQuestion::range({}, {}),
            ScalarQuestion::range({{"a", false}}, {{"c", true}}),
            ScalarQuestion::prefix("a"),
            ScalarQuestion::suffix("b"),
            ScalarQuestion::substring("abc"),
            ScalarQuestion::null(),
            ScalarQuestion::present(),
            ScalarQuestion::length(1, 3)};
}

struct Images {
    std::string index;
    std::string columns;
};

/// An index of lists of texts with all its parts, and the same as a column.
Images images(std::uint64_t distinct) {
    SplitMix64 random(distinct);
    ScalarIndexBuilder index(FieldKind::text, true, {.suffixes = true, .substrings = true});
    ColumnFileBuilder columns({{0, FieldKind::text, true}});
    MemberTerms terms;
    for (Slot slot = 0; slot < slots; ++slot) {
        member_terms(kith_test::random_member<std::optional<std::vector<std::string>>>(random, distinct), terms);
        index.append(terms);
        columns.append(0, terms);
    }
    return {index.finish(), columns.finish()};
}

/// Asks everything; false when it refuses.
bool asks_index(std::string_view image) {
    const std::string copy(image);  // of its own size, so that a sanitizer sees a byte read past its end
    const auto refused = raised([&] {
        const ScalarIndex index(copy, FieldKind::text, true, slots);
        for (const ScalarQuestion& question : all_questions()) {
            std::vector<std::uint64_t> words(words_of(slots));
            index.answer(question, words);
            static_cast<void>(index.estimate(question));
        }
        static_cast<void>(index.least());
        static_cast<void>(index.greatest());
    });
    if (!refused.code) return true;
    CHECK((refused.code == kith::Errc::corrupt || refused.code == kith::Errc::unsupported_version));
    CHECK((refused.says("damaged") || refused.says("version")));
    return false;
}

bool asks_columns(std::string_view image) {
    const std::string copy(image);
    const auto refused = raised([&] {
        const ColumnFile file(copy, slots);
        for (const auto& column : file.columns()) {
            if (column.kind() != FieldKind::text || !column.list()) continue;
            for (const ScalarQuestion& question : all_questions()) {
                std::vector<std::uint64_t> words(words_of(slots));
                ColumnScan(column, question).answer(words);
            }
            MemberTerms terms;
            for (Slot slot = 0; slot < slots; ++slot) column.member(slot, terms);
        }
    });
    if (!refused.code) return true;
    CHECK((refused.code == kith::Errc::corrupt || refused.code == kith::Errc::unsupported_version));
    CHECK((refused.says("damaged") || refused.says("version")));
    return false;
}

TEST_CASE("An index in which a bit has flipped answers or says that it is damaged") {
    for (const std::uint64_t distinct : {std::uint64_t{8}, std::uint64_t{5000}}) {
        const std::string image = images(distinct).index;
        REQUIRE(asks_index(image));
        SplitMix64 random(1);
        for (std::size_t at = 0; at < image.size(); at += 1 + image.size() / 1500) {
            std::string bad = image;
            bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8)));
            static_cast<void>(asks_index(bad));
        }
    }
}

TEST_CASE("An index that is cut says that it is damaged") {
    const std::string image = images(300).index;
    for (std::size_t size = 0; size < image.size(); size += 1 + image.size() / 700) {
        CHECK_FALSE(asks_index(std::string_view(image).substr(0, size)));
    }
    CHECK_FALSE(asks_index(image + 'x'));
}

TEST_CASE("Columns in which a bit has flipped answer or say that they are damaged") {
    for (const std::uint64_t distinct : {std::uint64_t{8}, std::uint64_t{5000}}) {
        const std::string image = images(distinct).columns;
        REQUIRE(asks_columns(image));
        SplitMix64 random(1);
        for (std::size_t at = 0; at < image.size(); at += 1 + image.size() / 1500) {
            std::string bad = image;
            bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8)));
            static_cast<void>(asks_columns(bad));
        }
    }
}

TEST_CASE("An index of another field, of other slots or of a newer version is refused, and says why") {
    const std::string image = images(8).index;
    const auto text_of = [&](FieldKind kind, bool list, Slot count) {
        return raised([&] { static_cast<void>(ScalarIndex(image, kind, list, count)); }).text;
    };
    CHECK(text_of(FieldKind::int32, true, slots).find("another kind of field") != std::string::npos);
    CHECK(text_of(FieldKind::text, false, slots).find("another kind of field") != std::string::npos);
    CHECK(text_of(FieldKind::text, true, slots + 1).find("for 700 slots, not 701") != std::string::npos);
    std::string newer = image;
    newer[8] = 9;
    const auto refused = raised([&] { static_cast<void>(ScalarIndex(newer, FieldKind::text, true, slots)); });
    CHECK(refused.code == kith::Errc::unsupported_version);
    CHECK(refused.says("has version 9; this build reads 1"));
}

}  // namespace
