// tests/query/term_test.cpp — tests of texts, lengths and calculated numbers over records.
#include "query/shelf.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <limits>

namespace {

using kith::evaluate;
using kith::field;
using kith_test::Book;
using kith_test::Language;

Book dune() {
    Book book;
    book.id = "dune";
    book.title = "Dune";
    book.year = 1965;
    book.price = 9.5;
    book.tags = {"sand", "worm"};
    book.size = std::numeric_limits<std::uint64_t>::max();
    book.pages = -1;
    book.weight = 0.5f;
    return book;
}

TEST_CASE("Texts are tested by their beginning, end, part and pattern") {
    const Book book = dune();
    CHECK(evaluate(has_prefix(field<&Book::title>, "Du"), book));
    CHECK_FALSE(evaluate(has_prefix(field<&Book::title>, "du"), book));
    CHECK(evaluate(has_suffix(field<&Book::title>, "ne"), book));
    CHECK(evaluate(contains(field<&Book::title>, "un"), book));
    CHECK(evaluate(like(field<&Book::title>, "D_n_"), book));
    CHECK_FALSE(evaluate(like(field<&Book::title>, "d_n_"), book));
    CHECK(evaluate(ilike(field<&Book::title>, "d_N_"), book));
}

TEST_CASE("A null text satisfies no test and no negated one") {
    const Book book = dune();
    CHECK_FALSE(evaluate(like(field<&Book::note>, "%"), book));
    CHECK_FALSE(evaluate(!like(field<&Book::note>, "%"), book));
    CHECK_FALSE(evaluate(!ilike(field<&Book::note>, "x"), book));
    CHECK_FALSE(evaluate(!has_suffix(field<&Book::note>, "x"), book));
}

TEST_CASE("The length of an empty list is 0, and that of a null list unknown") {
    Book book = dune();
    CHECK(evaluate(array_length(field<&Book::tags>) == 2, book));
    CHECK(evaluate(in(array_length(field<&Book::tags>), {1, 2}), book));
    CHECK_FALSE(evaluate(array_length(field<&Book::editions>) == 0, book));
    CHECK_FALSE(evaluate(array_length(field<&Book::editions>) != 0, book));
    book.editions.emplace();
    CHECK(evaluate(array_length(field<&Book::editions>) == 0, book));
    CHECK(evaluate(array_length(field<&Book::editions>) < array_length(field<&Book::tags>), book));
}

TEST_CASE("Columns of different types compare by value") {
    const Book book = dune();
    CHECK(evaluate(field<&Book::size> > field<&Book::pages>, book));
    CHECK(evaluate(field<&Book::price> < field<&Book::year>, book));
    CHECK(evaluate(field<&Book::title> < field<&Book::id>, book));
    CHECK(evaluate(field<&Book::language> == field<&Book::original>, book));
    CHECK(evaluate(field<&Book::lent> == field<&Book::lent>, book));
}

TEST_CASE("Numbers are calculated from columns") {
    const Book book = dune();
    CHECK(evaluate(field<&Book::price> * 2 + 1 == 20, book));
    CHECK(evaluate(field<&Book::year> / 2 == 982, book));
    CHECK(evaluate(field<&Book::year> / 2.0 == 982.5, book));
    CHECK(evaluate(field<&Book::year> % 10 == 5, book));
    CHECK(evaluate(-field<&Book::year> < 0, book));
    CHECK(evaluate(2000 - field<&Book::year> == 35, book));
    CHECK(evaluate(field<&Book::size> + field<&Book::pages> == std::numeric_limits<std::uint64_t>::max() - 1, book));
}

TEST_CASE("A calculation without a result satisfies nothing, negated or not") {
    Book book = dune();
    const auto overflow = field<&Book::size> + 1 > 0;
    CHECK_FALSE(evaluate(overflow, book));
    CHECK_FALSE(evaluate(!overflow, book));
    const auto division = field<&Book::year> / (field<&Book::pages> + 1) == 0;
    CHECK_FALSE(evaluate(division, book));
    CHECK_FALSE(evaluate(!division, book));
    book.price.reset();
    CHECK_FALSE(evaluate(!(field<&Book::price> + 1 > 0), book));
    CHECK_FALSE(evaluate(!(field<&Book::year> > field<&Book::price>), book));
}

TEST_CASE("NaN differs from everything in calculations too") {
    Book book = dune();
    book.price = std::numeric_limits<double>::quiet_NaN();
    CHECK(evaluate(field<&Book::price> + 1 != 0, book));
    CHECK_FALSE(evaluate(field<&Book::price> == field<&Book::price>, book));
    CHECK_FALSE(evaluate(field<&Book::price> < field<&Book::year>, book));
}

TEST_CASE("Texts, lengths and calculations are evaluated without an allocation") {
    const Book book = dune();
    const auto condition = kith::parse_condition<Book>(
        "title like '%u_e' and title ilike 'DUN%' and array_length(tags) = 2 and year * 2 > price + weight / 3 and "
        "title <> id");
    const std::size_t before = kith_test::allocation_count();
    const bool answer = evaluate(condition, book);
    const std::size_t after = kith_test::allocation_count();
    CHECK(after == before);
    CHECK(answer);
}

}  // namespace
