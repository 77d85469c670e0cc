// tests/fuzz/scalar_index.cpp — the index of a scalar field, and columns: every question is answered, or they are refused.
#include "fuzz/target.hpp"
#include "scalar/images.hpp"

#include "kith/scalar.hpp"

#include <optional>

namespace kith_fuzz {

namespace {

using namespace kith::detail;
using kith::FieldKind;
using kith::Slot;

constexpr Slot most_slots = 5000;
constexpr std::size_t kind_at = 12, index_slots_at = 16, column_slots_at = 16;  // see docs/format.md

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t number = 0;
    static_cast<void>(kith::ByteReader(bytes.substr(std::min(at, bytes.size()))).u32(number));
    return number;
}

/// Questions that fit a field; terms have the size of its kind.
std::vector<ScalarQuestion> questions(FieldKind kind, bool list) {
    const std::size_t size = kind == FieldKind::text ? 2 : scalar_bytes(kind);
    const std::string low(size, '\x40');
    const std::string high(size, '\x90');
    std::vector<ScalarQuestion> made{ScalarQuestion::equal(low),
                                     ScalarQuestion::any_of({low, high}),
                                     ScalarQuestion::all_of({low, high}),
                                     ScalarQuestion::all_of({}),
                                     ScalarQuestion::range({}, {}),
                                     ScalarQuestion::range({{low, true}}, {{high, false}}),
                                     ScalarQuestion::null(),
                                     ScalarQuestion::present()};
    if (list) made.push_back(ScalarQuestion::length(1, 2));
    if (kind == FieldKind::text) {
        made.push_back(ScalarQuestion::prefix("a"));
        made.push_back(ScalarQuestion::suffix("b"));
        made.push_back(ScalarQuestion::substring("abc"));
    }
    return made;
}

void claim_no_bits_behind(const std::vector<std::uint64_t>& words, Slot slots) {
    claim(slots % 64 == 0 || (words.back() >> (slots % 64)) == 0, "an answer has no slot that does not exist");
}

void attack_index(std::string_view bytes) {
    const std::string image(bytes);
    const std::uint32_t head = number_at(image, kind_at);
    const auto kind = static_cast<FieldKind>(head & 0xff);
    const bool list = ((head >> 8) & 1U) != 0;
    const Slot slots = number_at(image, index_slots_at);
    if (slots > most_slots || !has_terms(kind)) return;
    std::optional<ScalarIndex> index;
    if (refuses([&] { index.emplace(image, kind, list, slots); })) return;
    const bool whole = !refuses([&] { index->check(); });
    for (const ScalarQuestion& question : questions(kind, list)) {
        std::vector<std::uint64_t> words(words_of(slots));
        const bool refused = refuses([&] { index->answer(question, words); });
        claim(!whole || !refused, "an index that passes its check answers");
        if (refused) continue;
        claim_no_bits_behind(words, slots);
        SlotEstimate estimate;
        if (refuses([&] { estimate = index->estimate(question); })) continue;
        claim(estimate.fewest <= estimate.most, "the bounds of an estimate are in order");
    }
    static_cast<void>(refuses([&] { static_cast<void>(index->greatest()); }));
}

void attack_columns(std::string_view bytes) {
    const std::string image(bytes);
    const Slot slots = number_at(image, column_slots_at);
    if (slots > most_slots) return;
    std::optional<ColumnFile> file;
    if (refuses([&] { file.emplace(image, slots); })) return;
    const bool whole = !refuses([&] { file->check(); });
    std::size_t left = 8;
    for (const StoredColumn& column : file->columns()) {
        if (left-- == 0) return;
        for (const ScalarQuestion& question : questions(column.kind(), column.list())) {
            std::vector<std::uint64_t> words(words_of(slots));
            const bool refused = refuses([&] { ColumnScan(column, question).answer(words); });
            claim(!whole || !refused, "a column that passes its check answers");
            if (refused) continue;
            claim_no_bits_behind(words, slots);
            std::vector<std::uint64_t> kept(words_of(slots), 0x8000'0000'0000'0001U);
            if (slots % 64 != 0) kept.back() &= (std::uint64_t{1} << (slots % 64)) - 1;
            static_cast<void>(refuses([&] { ColumnScan(column, question).keep(true, kept); }));
        }
        MemberTerms terms;
        for (Slot slot = 0; slot < slots; ++slot) {
            if (refuses([&] { column.member(slot, terms); })) break;
        }
    }
}

template <class T>
void add_examples(const std::vector<T>& members, std::vector<std::string>& indexes, std::vector<std::string>& columns) {
    constexpr FieldKind kind = scalar_kind<ScalarOf<T>>();
    constexpr bool list = is_list<Present<T>>;
    const bool text = kind == FieldKind::text;
    ScalarIndexBuilder index(kind, list, {.suffixes = text, .substrings = text});
    MemberTerms terms;
    for (const T& member : members) {
        member_terms(member, terms);
        index.append(terms);
    }
    indexes.push_back(kith_test::image_of(index));
    columns.push_back(kith_test::column_image<T>({1, kind, list}, members));
}

/// Examples of indexes, or of columns.
std::vector<std::string> made(bool of_columns) {
    std::vector<std::string> indexes;
    std::vector<std::string> columns;
    std::vector<std::int32_t> numbers;
    std::vector<std::optional<std::string>> texts;
    std::vector<std::vector<std::string>> lists;
    for (int at = 0; at < 2500; ++at) numbers.push_back(at * 7919 % 1000);
    for (int at = 0; at < 300; ++at) {
        if (at % 9 == 0) {
            texts.emplace_back();
        } else {
            texts.emplace_back("text " + std::to_string(at % (at < 200 ? 3 : 50)));
        }
        lists.push_back(std::vector<std::string>(static_cast<std::size_t>(at % 4), "abc" + std::to_string(at % 40)));
    }
    add_examples(numbers, indexes, columns);
    add_examples(texts, indexes, columns);
    add_examples(lists, indexes, columns);
    add_examples(std::vector<bool>(200, true), indexes, columns);
    add_examples(std::vector<double>{1, -2, 0.5}, indexes, columns);
    add_examples(std::vector<std::vector<bool>>{{true}, {}, {false, true}}, indexes, columns);
    return of_columns ? columns : indexes;
}

std::vector<std::string> example_indexes() {
    return made(false);
}

std::vector<std::string> example_columns() {
    return made(true);
}

}  // namespace

const Target scalar_index_target{"scalar_index", attack_index, example_indexes};
const Target columns_target{"columns", attack_columns, example_columns};

}  // namespace kith_fuzz
