// tests/scalar/damage_test.cpp — whatever the bytes of an image, a reader answers or says that they are damaged.
#include "scalar/asked.hpp"
#include "scalar/images.hpp"
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
using kith::detail::ColumnScan;
using kith::detail::MemberTerms;
using kith::detail::ScalarIndex;
using kith::detail::ScalarIndexBuilder;
using kith::detail::ScalarQuestion;
using kith::detail::words_of;
using kith_test::column_image;
using kith_test::image_of;
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
    MemberTerms terms;
    std::vector<std::optional<std::vector<std::string>>> members;
    for (Slot slot = 0; slot < slots; ++slot) {
        members.push_back(kith_test::random_member<std::optional<std::vector<std::string>>>(random, distinct));
        member_terms(members.back(), terms);
        index.append(terms);
    }
    return {image_of(index), column_image({0, FieldKind::text, true}, members)};
}

/// Asks everything; false when it refuses. What finds itself whole refuses nothing.
bool asks_index(std::string_view image) {
    const std::string copy(image);  // of its own size, so that a sanitizer sees a byte read past its end
    bool whole = false;
    const auto refused = raised([&] {
        const ScalarIndex index(copy, FieldKind::text, true, slots);
        whole = !raised([&] { index.check(); }).code;
        for (const ScalarQuestion& question : all_questions()) {
            std::vector<std::uint64_t> words(words_of(slots));
            index.answer(question, words);
            static_cast<void>(index.estimate(question));
        }
        static_cast<void>(index.least());
        static_cast<void>(index.greatest());
    });
    if (!refused.code) return true;
    CHECK_FALSE(whole);
    CHECK((refused.code == kith::Errc::corrupt || refused.code == kith::Errc::unsupported_version));
    CHECK((refused.says("damaged") || refused.says("version")));
    return false;
}

bool asks_columns(std::string_view image) {
    const std::string copy(image);
    bool whole = false;
    const auto refused = raised([&] {
        const ColumnFile file(copy, slots);
        whole = !raised([&] { file.check(); }).code;
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
    CHECK_FALSE(whole);
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

/// The number of 4 or 8 bytes at a place.
std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t number = 0;
    for (std::size_t byte = size; byte-- > 0;) number = (number << 8) | static_cast<unsigned char>(bytes[at + byte]);
    return number;
}

TEST_CASE("Whole images pass their check") {
    for (const std::uint64_t distinct : {std::uint64_t{8}, std::uint64_t{300}, std::uint64_t{5000}}) {
        const Images made = images(distinct);
        CHECK_FALSE(raised([&] { ScalarIndex(made.index, FieldKind::text, true, slots).check(); }).code);
        CHECK_FALSE(raised([&] { ColumnFile(made.columns, slots).check(); }).code);
    }
    ScalarIndexBuilder numbers(FieldKind::int32, false);
    MemberTerms terms;
    for (std::int32_t slot = 0; slot < 40'000; ++slot) {
        member_terms(slot % 30'000, terms);
        numbers.append(terms);
    }
    const std::string image = image_of(numbers);
    CHECK_FALSE(raised([&] { ScalarIndex(image, FieldKind::int32, false, 40'000).check(); }).code);
}

TEST_CASE("The check of an index says what is wrong with it") {
    ScalarIndexBuilder builder(FieldKind::text, false, {.suffixes = true, .substrings = true});
    MemberTerms terms;
    for (Slot slot = 0; slot < slots; ++slot) {
        member_terms("text " + std::to_string(slot % 90), terms);
        builder.append(terms);
    }
    const std::string image = image_of(builder);
    const auto said = [&](std::size_t at, char byte) {
        std::string bad = image;
        bad[at] = byte;
        return raised([&] { ScalarIndex(bad, FieldKind::text, false, slots).check(); }).text;
    };
    REQUIRE(said(0, 'k').empty());
    constexpr std::size_t terms_at = 128, sizes_at = 32, header = 64, entry = 32;  // see docs/format.md
    const std::size_t blocks = number_at(image, terms_at + 4, 4);
    const std::size_t unions = number_at(image, terms_at + 28, 4);
    const std::size_t shorts_at = terms_at + header + entry * (blocks + 1) + 24 * unions;
    CHECK(said(shorts_at, 1).find("union 0 is not that of its lists") != std::string::npos);
    CHECK(said(shorts_at + 4, 0).find("is not of 8 slots in order") != std::string::npos);
    const std::size_t reversed_at = terms_at + number_at(image, sizes_at, 8);
    CHECK(said(reversed_at, image[reversed_at + 4]).find("its reversed terms are not in order at 1") !=
          std::string::npos);
    CHECK(said(24, 0).find("its terms are of other slots than it counts") != std::string::npos);
}

TEST_CASE("The check of columns says what is wrong with them") {
    std::vector<std::string> members;
    for (Slot slot = 0; slot < slots; ++slot) members.push_back("text " + std::to_string(slot % 90));
    const std::string image = column_image({3, FieldKind::text, false}, members);
    const auto said = [&](std::size_t at, char byte) {
        std::string bad = image;
        bad[at] = byte;
        return raised([&] { ColumnFile(bad, slots).check(); }).text;
    };
    REQUIRE(said(0, 'k').empty());
    const std::size_t offsets_at = image.size() - 8 - 64 + 24;  // see docs/format.md
    const std::size_t codes_at = number_at(image, offsets_at + 16, 8);
    const std::size_t text_ends_at = number_at(image, offsets_at + 24, 8);
    const std::size_t texts_at = number_at(image, offsets_at + 32, 8);
    CHECK(said(codes_at + 5, 90).find("column 3 has a code of no text, at value 5") != std::string::npos);
    CHECK(said(text_ends_at, 99).find("column 3 has a text that ends elsewhere, number 1") != std::string::npos);
    CHECK(said(texts_at, 'z').find("column 3 has distinct texts that are not in order, at 1") != std::string::npos);
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
