// tests/query/grammar_test.cpp — random conditions mean the same as text, in C++, and to a naive reader.
#include "support/catch.hpp"
#include "support/condition_grammar.hpp"

#include "kith/core/random.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace {

using kith::SplitMix64;
using kith_test::ConditionGrammar;
using kith_test::Drawn;
using kith_test::Thing;

TEST_CASE("Random conditions in text mean what a naive reader makes of them") {
    SplitMix64 random(77);
    ConditionGrammar grammar(random);
    std::vector<Thing> things;
    for (int made = 0; made < 60; ++made) things.push_back(grammar.thing());
    std::size_t found = 0;
    std::size_t differing = 0;
    for (int round = 0; round < 4000; ++round) {
        const Drawn drawn = grammar.condition(round % 4);
        const auto condition = kith::parse_condition<Thing>(drawn.text);
        for (const Thing& thing : things) {
            const bool answer = evaluate(condition, thing);
            found += answer ? 1u : 0u;
            if (answer == (drawn.meaning(thing) == true)) continue;
            if (++differing < 4) UNSCOPED_INFO(drawn.text);
        }
    }
    CHECK(differing == 0);
    // The rounds are no test unless both answers are common.
    CHECK(found > 60'000);
    CHECK(found < 180'000);
}

TEST_CASE("Random conditions in text are the trees of the same conditions in C++") {
    SplitMix64 random(78);
    ConditionGrammar grammar(random);
    std::size_t compared = 0;
    std::size_t differing = 0;
    for (int round = 0; round < 4000; ++round) {
        const Drawn drawn = grammar.condition(round % 4);
        if (!drawn.typed.has_value()) continue;
        ++compared;
        if (kith::parse_condition<Thing>(drawn.text) == *drawn.typed) continue;
        if (++differing < 4) UNSCOPED_INFO(drawn.text);
    }
    CHECK(differing == 0);
    CHECK(compared > 2'000);
}

}  // namespace
