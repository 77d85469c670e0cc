// tests/collection/slot_condition_test.cpp — a tree becomes few questions: bounds, alternatives and exceptions of one
// field are asked together.
#include "kith/collection/slot_condition.hpp"
#include "kith/schema/schema.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace {

using kith::Expression;
using kith::Op;
using kith::detail::SlotCondition;
using kith::detail::SlotConditionMaker;
using Kind = SlotCondition::Kind;

struct Sample {
    std::string key;
    std::int64_t number = 0;
    bool open = false;
};

using Samples = kith::Schema<Sample, kith::Key<&Sample::key>>;

SlotCondition made(const Expression& tree) {
    return SlotConditionMaker(Samples::fields).make(tree);
}

Expression number(Op op, std::int64_t value) {
    return {.op = op, .field = 1, .values = {value}};
}

TEST_CASE("Two bounds of one field become one range, and a negation reaches the leaves") {
    const Expression low = number(Op::greater_equal, 3);
    const Expression high = number(Op::less, 9);
    const Expression both{.op = Op::all_of, .children = {low, {.op = Op::all_of, .children = {high}}}};
    const SlotCondition range = made(both);
    REQUIRE(range.children.size() == 1);
    CHECK(range.children[0].sources.size() == 2);
    CHECK(range.children[0].question->lower->inclusive);
    CHECK_FALSE(range.children[0].question->upper->inclusive);

    const Expression neither{.op = Op::negation, .children = {both}};
    const SlotCondition outside = made(neither);
    CHECK(outside.kind == Kind::any_of);
    REQUIRE(outside.children.size() == 2);
    CHECK_FALSE(outside.children[0].wanted);
}

TEST_CASE("Alternatives of one field become one list of values, and so do its exceptions") {
    const Expression open{.op = Op::equal, .field = 2, .values = {true}};
    const Expression several{.op = Op::in, .field = 1, .values = {std::int64_t{2}, std::int64_t{5}}};
    const Expression inner{.op = Op::any_of, .children = {number(Op::equal, 4), several}};
    const Expression either{.op = Op::any_of, .children = {number(Op::equal, 5), open, number(Op::equal, 3), inner}};
    const auto expect_values = [](const SlotCondition& leaf) {
        REQUIRE(leaf.question->terms.size() == 4);
        CHECK(std::is_sorted(leaf.question->terms.begin(), leaf.question->terms.end()));
    };
    const SlotCondition alternatives = made(either);
    CHECK(alternatives.kind == Kind::any_of);
    REQUIRE(alternatives.children.size() == 2);
    CHECK(alternatives.children[0].wanted);
    expect_values(alternatives.children[0]);

    const Expression neither{.op = Op::negation, .children = {either}};
    const SlotCondition exceptions = made(neither);
    CHECK(exceptions.kind == Kind::all_of);
    REQUIRE(exceptions.children.size() == 2);
    CHECK_FALSE(exceptions.children[0].wanted);
    expect_values(exceptions.children[0]);
    CHECK(exceptions.children[0].sources.size() == 4);  // all are checked where nothing knows the field

    const Expression both{.op = Op::all_of, .children = {number(Op::equal, 3), number(Op::equal, 4)}};
    CHECK(made(both).children.size() == 2);
    const Expression not_both{.op = Op::negation, .children = {both}};
    CHECK(made(not_both).children.size() == 2);
}

}  // namespace
