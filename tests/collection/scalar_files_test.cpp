// tests/collection/scalar_files_test.cpp — columns and indexes are the same whatever memory they are made in, and what a
// format has no room for is left out.
#include "kith/collection/scalar_files.hpp"

#include "kith/collection/sealed_scalars.hpp"
#include "kith/core/random.hpp"
#include "kith/schema.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/scalar_images.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::Slot;
using kith::detail::ColumnFile;
using kith::detail::ColumnForm;
using kith::detail::MemberTerms;
using kith::detail::ScalarImages;
using kith::detail::SealedScalars;
using kith_test::raised;
using kith_test::scalar_images;
using kith_test::views_of;

struct Page {
    std::string id;
    std::int32_t number = 0;
    bool open = false;
    std::string text;                  // long, each another
    std::optional<std::string> place;  // few
    std::vector<std::string> tags;
    std::vector<std::int64_t> marks;
    double weight = 0;
};

using Pages = kith::Schema<Page, kith::Key<&Page::id>, kith::Field<&Page::number, kith::indexed>,
                           kith::Field<&Page::text, kith::Indexed{.suffixes = true, .substrings = true}>,
                           kith::Field<&Page::place, kith::indexed>, kith::Field<&Page::tags, kith::indexed>>;

constexpr std::uint32_t text_field = 3, place_field = 4;

/// Rows of pages; every tenth is of a slot that nobody sees.
std::vector<std::string> rows_of(int count) {
    kith::SplitMix64 random(3);
    std::vector<std::string> rows;
    for (int number = 0; number < count; ++number) {
        std::string& row = rows.emplace_back();
        if (number % 10 == 9) continue;
        Page page;
        page.id = std::to_string(number);
        page.number = static_cast<std::int32_t>(random.below(100));
        page.open = random.below(2) == 1;
        for (int words = 0; words < 20; ++words) page.text += "word" + std::to_string(random.below(1000)) + ' ';
        if (random.below(4) > 0) page.place = "place " + std::to_string(random.below(30));
        for (std::uint64_t left = random.below(4); left > 0; --left) page.tags.push_back(std::to_string(left));
        for (std::uint64_t left = random.below(9); left > 0; --left)
            page.marks.push_back(static_cast<std::int64_t>(left));
        page.weight = static_cast<double>(random.below(1000)) / 8;
        Pages::encode_row(page, row);
    }
    return rows;
}

/// Every value of every column, as one text.
std::string values_of(const ColumnFile& file) {
    std::string all;
    MemberTerms member;
    for (const auto& column : file.columns()) {
        for (Slot slot = 0; slot < file.slots(); ++slot) {
            column.member(slot, member);
            all += member.null() ? "null" : std::to_string(member.size());
            for (std::size_t at = 0; at < member.size(); ++at) all.append(":").append(member[at]);
            all += ';';
        }
    }
    return all;
}

}  // namespace

TEST_CASE("Columns and indexes are the same, whatever memory they are made in") {
    const std::vector<std::string> rows = rows_of(1500);
    const auto count = static_cast<Slot>(rows.size());
    const ScalarImages<std::string> roomy = scalar_images(Pages::fields, rows);
    const std::string values = values_of(ColumnFile(roomy.columns, count));
    for (const std::size_t memory : {std::size_t{1}, std::size_t{3000}, std::size_t{20'000}, std::size_t{200'000}}) {
        INFO(memory << " bytes");
        const ScalarImages<std::string> images = scalar_images(Pages::fields, rows, memory);
        const SealedScalars scalars(Pages::fields, views_of(images), count);
        scalars.check();
        CHECK(scalars.complete());
        CHECK(images.indexes == roomy.indexes);
        CHECK(values_of(ColumnFile(images.columns, count)) == values);
    }
}

TEST_CASE("Texts are stored by code where the distinct ones can be held, and as they are where not") {
    const std::vector<std::string> rows = rows_of(1500);
    const auto count = static_cast<Slot>(rows.size());
    const auto form = [&](std::size_t memory, std::uint32_t field) {
        const ScalarImages<std::string> images = scalar_images(Pages::fields, rows, memory);
        return ColumnFile(images.columns, count).find(field)->form();
    };
    CHECK(form(std::size_t{1} << 26, place_field) == ColumnForm::codes);
    CHECK(form(20'000, place_field) == ColumnForm::codes);  // in a pass of their own
    CHECK(form(1000, place_field) == ColumnForm::texts);
    CHECK(form(std::size_t{1} << 26, text_field) == ColumnForm::texts);
}

TEST_CASE("Rows are read once where there is memory, and a few times more where there is little") {
    const std::vector<std::string> rows = rows_of(1500);
    const auto reads = [&](std::size_t memory) {
        std::size_t asked = 0;
        const kith::detail::ScalarSource source{Pages::fields, static_cast<Slot>(rows.size()), [&](Slot slot) {
                                                    ++asked;
                                                    return rows[slot];
                                                }};
        const auto write = [](std::optional<std::size_t>, const std::function<void(const kith::ByteSink&)>& produce) {
            produce([](const void*, std::size_t) {});
        };
        kith::detail::write_scalar_files(source, memory, write);
        return asked;
    };
    CHECK(reads(std::size_t{1} << 26) == rows.size());
    CHECK(reads(100'000) < 8 * rows.size());
    CHECK(reads(1) < 25 * rows.size());  // 12 files, the columns twice
}

TEST_CASE("An index that its format has no room for is left out, said so, and not missed") {
    const std::vector<std::string> rows = rows_of(300);
    const auto count = static_cast<Slot>(rows.size());
    const ScalarImages<std::string> images = scalar_images(Pages::fields, rows, std::size_t{1} << 26, {text_field});
    CHECK(images.indexes[text_field].empty());
    CHECK_FALSE(images.indexes[place_field].empty());
    const SealedScalars scalars(Pages::fields, views_of(images), count);
    CHECK(scalars.complete());  // or merges would try again for ever
    CHECK_FALSE(scalars.fields()[text_field]->indexed());
    CHECK(scalars.fields()[text_field]->has_column());
    CHECK(scalars.fields()[place_field]->indexed());
    // One that is merely not there is missed.
    ScalarImages<std::string> without = scalar_images(Pages::fields, rows);
    without.indexes[text_field].clear();
    CHECK_FALSE(SealedScalars(Pages::fields, views_of(without), count).complete());
}

TEST_CASE("A row of another schema, and a file that cannot be written, end the writing") {
    std::vector<std::string> rows = rows_of(300);
    rows[150] = "no row";
    CHECK(raised([&] { static_cast<void>(scalar_images(Pages::fields, rows)); }).code == kith::Errc::corrupt);
    const kith::detail::ScalarSource source{Pages::fields, 1, [](Slot) { return std::string(); }};
    const auto write = [](std::optional<std::size_t> index_of,
                          const std::function<void(const kith::ByteSink&)>& produce) {
        if (index_of.has_value()) kith::raise(kith::Errc::disk_full, "no room");
        produce([](const void*, std::size_t) {});
    };
    CHECK(raised([&] { kith::detail::write_scalar_files(source, 1000, write); }).code == kith::Errc::disk_full);
}
