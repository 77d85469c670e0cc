// tests/scalar/column_test.cpp — columns hold what was written, and answer as a naive evaluator does.
#include "scalar/asked.hpp"
#include "scalar/images.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include "kith/scalar/column_builder.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/column_scan.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

using kith::ByteSink;
using kith::FieldKind;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::collected;
using kith::detail::ColumnBuilder;
using kith::detail::ColumnFile;
using kith::detail::ColumnFileWriter;
using kith::detail::ColumnForm;
using kith::detail::ColumnInfo;
using kith::detail::ColumnScan;
using kith::detail::IndexNote;
using kith::detail::MemberTerms;
using kith::detail::ScalarQuestion;
using kith::detail::StoredColumn;
using kith::detail::term_of;
using kith::detail::words_of;
using kith_test::ColumnMade;
using kith_test::Grade;
using kith_test::raised;

template <class T>
inline constexpr FieldKind kind_of = kith::detail::scalar_kind<kith::detail::ScalarOf<T>>();

template <class T>
inline constexpr bool lists = kith::detail::is_list<kith::detail::Present<T>>;

template <class T>
std::string image_of(const std::vector<T>& members, ColumnMade made = ColumnMade::held) {
    return kith_test::column_image<T>({7, kind_of<T>, lists<T>}, members, made);
}

template <class T>
void compare(std::size_t count, std::uint64_t distinct, int questions, ColumnMade made = ColumnMade::held) {
    SplitMix64 random(count + distinct);
    const auto members = kith_test::random_members<T>(random, count, distinct);
    const std::string image = image_of(members, made);
    const auto slots = static_cast<Slot>(count);
    const ColumnFile file(image, slots);
    const StoredColumn* const column = file.find(7);
    REQUIRE(column != nullptr);
    file.check();
    MemberTerms stored;
    MemberTerms given;
    for (Slot slot = 0; slot < slots; ++slot) {
        member_terms(members[slot], given);
        column->member(slot, stored);
        bool same = stored.null() == given.null() && stored.size() == given.size();
        for (std::size_t at = 0; same && at < given.size(); ++at) same = stored[at] == given[at];
        if (!same) FAIL("another member in slot " << slot);
    }
    kith_test::Questions<T> ask(random, distinct);
    for (int number = 0; number < questions; ++number) {
        const auto asked = ask.next();
        const auto expected = kith_test::naive_answer(asked, members, slots);
        std::vector<std::uint64_t> words(words_of(slots));
        ColumnScan(*column, asked.question).answer(words);
        INFO(asked.name << " number " << number << " of " << count << " members, " << distinct << " distinct: found "
                        << kith_test::count_bits(words) << ", there are " << kith_test::count_bits(expected));
        if (words != expected) FAIL("another answer");
        for (const unsigned one_in : {0U, 1U, 3U, 100U}) {
            const bool wanted = random.below(2) == 1;
            auto kept = kith_test::random_bits(random, slots, one_in);
            const auto naive = kith_test::naive_kept(asked, members, kept, slots, wanted);
            ColumnScan(*column, asked.question).keep(wanted, kept);
            if (kept != naive)
                FAIL("other slots are kept where the answer is to be " << wanted << ", of 1 in " << one_in);
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("A column of scalars answers as a naive evaluator", "", bool, std::int32_t, std::int64_t,
                   std::uint32_t, std::uint64_t, float, double, std::string, Grade, kith::Timestamp) {
    compare<TestType>(0, 5, 10);
    compare<TestType>(1, 5, 20);
    compare<TestType>(1024, 4, 50);
    compare<TestType>(3001, 100, 100);
    compare<TestType>(5000, 20'000, 100);
}

TEMPLATE_TEST_CASE("A column of optionals answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float,
                   double, std::string) {
    compare<std::optional<TestType>>(3000, 20, 100);
    compare<std::optional<TestType>>(3000, 20'000, 100);
}

TEMPLATE_TEST_CASE("A column of lists answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float,
                   double, std::string, Grade) {
    compare<std::vector<TestType>>(3000, 12, 100);
    compare<std::vector<TestType>>(3000, 20'000, 100);
    compare<std::optional<std::vector<TestType>>>(2000, 200, 100);
}

TEMPLATE_TEST_CASE("A column that was handed on as it came answers as a naive evaluator", "", bool, std::int32_t,
                   double, std::string, std::optional<bool>, std::optional<std::string>, std::vector<bool>,
                   std::vector<std::string>, std::optional<std::vector<std::int32_t>>) {
    compare<TestType>(0, 5, 10, ColumnMade::as_it_comes);
    compare<TestType>(3001, 100, 50, ColumnMade::as_it_comes);
    compare<TestType>(1000, 20'000, 20, ColumnMade::as_it_comes);
}

TEST_CASE("A column that is handed on as it comes keeps a few bytes of each slot in memory") {
    std::size_t handed_on = 0;
    const ByteSink sink = [&](const void*, std::size_t bytes) { handed_on += bytes; };
    const ColumnInfo info{0, FieldKind::text, false};
    ColumnFileWriter file(sink, {info}, 4096);
    ColumnBuilder held(info);
    ColumnBuilder builder(info, file);
    MemberTerms terms;
    std::size_t most = 0;
    for (int slot = 0; slot < 4096; ++slot) {
        member_terms(std::to_string(slot) + std::string(2000, 'x'), terms);
        held.append(terms);
        builder.append(terms);
        most = std::max(most, builder.bytes());
    }
    builder.finish(file, 0);
    CHECK(handed_on > 8'000'000);
    CHECK(held.bytes() > 8'000'000);
    CHECK(most < 1'200'000);  // a piece to hand on
}

TEST_CASE("Few distinct texts are stored by code, many as they are") {
    const auto form_of = [](std::size_t count, std::size_t distinct) {
        std::vector<std::string> members;
        for (std::size_t at = 0; at < count; ++at) members.push_back("text " + std::to_string(at % distinct));
        const std::string image = image_of(members);
        const ColumnFile file(image, static_cast<Slot>(count));
        return std::pair(file.find(7)->form(), file.find(7)->width());
    };
    CHECK(form_of(3000, 200) == std::pair(ColumnForm::codes, std::size_t{1}));
    CHECK(form_of(3000, 1000) == std::pair(ColumnForm::codes, std::size_t{2}));
    CHECK(form_of(140'000, 70'000) == std::pair(ColumnForm::codes, std::size_t{4}));
    CHECK(form_of(3000, 2000) == std::pair(ColumnForm::texts, std::size_t{0}));
}

TEST_CASE("A membership of many values answers as a naive evaluator") {
    SplitMix64 random(1);
    const auto members = kith_test::random_members<std::int32_t>(random, 2000, 500);
    std::vector<std::int32_t> wanted;
    std::vector<std::string> terms;
    for (std::int32_t value = -200; value < 200; value += 3) {
        wanted.push_back(value);
        terms.push_back(term_of(value));
    }
    const std::string image = image_of(members);
    const ColumnFile file(image, 2000);
    std::vector<std::uint64_t> words(words_of(2000));
    ColumnScan(*file.find(7), ScalarQuestion::any_of(terms)).answer(words);
    for (Slot slot = 0; slot < 2000; ++slot) {
        const bool expected = std::find(wanted.begin(), wanted.end(), members[slot]) != wanted.end();
        if (((words[slot / 64] >> (slot % 64)) & 1U) != (expected ? 1U : 0U)) FAIL("slot " << slot);
    }
}

TEST_CASE("A file keeps columns apart by their fields") {
    const std::vector<ColumnInfo> infos{
        {2, FieldKind::int32, false}, {4, FieldKind::text, false}, {5, FieldKind::text, true}};
    MemberTerms terms;
    const std::string image = collected([&](const ByteSink& sink) {
        ColumnFileWriter writer(sink, infos, 1);
        ColumnBuilder texts(infos[2], writer);
        ColumnBuilder numbers(infos[0]);
        member_terms(std::vector<std::string>{"a", "b"}, terms);
        texts.append(terms);
        member_terms(std::int32_t{4}, terms);
        numbers.append(terms);
        texts.finish(writer, 2);  // in whatever order they are done
        numbers.finish(writer, 0);
        writer.note_index(0, IndexNote::written);
        writer.note_index(2, IndexNote::left_out);
        writer.finish();
    });
    const ColumnFile file(image, 1);
    file.check();
    REQUIRE(file.columns().size() == 2);
    CHECK(file.find(2)->kind() == FieldKind::int32);
    CHECK(file.find(5)->list());
    CHECK(file.find(3) == nullptr);
    CHECK(file.find(4) == nullptr);
    CHECK_FALSE(file.note(2).left_out);
    CHECK(file.note(4).left_out);  // nothing was said of it
    CHECK(file.note(2).index == IndexNote::written);
    CHECK(file.note(4).index == IndexNote::none);
    CHECK(file.note(5).index == IndexNote::left_out);
    file.find(5)->member(0, terms);
    CHECK(terms.size() == 2);
}

TEST_CASE("A file of columns that is cut or of other slots is refused, and says why") {
    const std::string image = image_of(std::vector<std::string>{"a", "b", "a", "a"});
    for (std::size_t size = 0; size < image.size(); ++size) {
        const auto refused = raised([&] { static_cast<void>(ColumnFile(std::string_view(image).substr(0, size), 4)); });
        CHECK(refused.code == kith::Errc::corrupt);
        CHECK(refused.says("a file of columns is damaged"));
    }
    CHECK(raised([&] { static_cast<void>(ColumnFile(image, 5)); }).says("for 4 slots, not 5"));
    std::string newer = image;
    newer[8] = 2;
    CHECK(raised([&] { static_cast<void>(ColumnFile(newer, 4)); }).code == kith::Errc::unsupported_version);
}

}  // namespace
