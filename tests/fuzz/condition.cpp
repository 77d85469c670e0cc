// tests/fuzz/condition.cpp — a condition in text: it is read or refused, and what is read means what was written.
//
// The bytes serve twice: as a text, and as the choices from which the grammar makes one.
#include "fuzz/target.hpp"

#include "support/condition_grammar.hpp"

#include <cstdint>

namespace kith_fuzz {

namespace {

using kith_test::Thing;

/// Draws from bytes, and zeros behind their end.
class Choices {
public:
    explicit Choices(std::string_view bytes) : bytes_(bytes) {}

    std::uint64_t below(std::uint64_t count) {
        return at_ < bytes_.size() ? static_cast<unsigned char>(bytes_[at_++]) % count : 0;
    }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

/// A thing that has a value of every kind, so that every part of a condition is looked at.
Thing full_thing() {
    Thing thing;
    thing.key = "a";
    thing.large = 1;
    thing.price = 0.5;
    thing.maybe = true;
    thing.note = "owl";
    thing.tags = {"a", "it's"};
    thing.marks = {1, -1};
    thing.more = kith::Json{R"({"a": "x", "b": [1, "t", {"a": null}], "c": 2, "d": true})"};
    return thing;
}

void attack_text(std::string_view text) {
    static const Thing full = full_thing();
    try {
        const auto condition = kith::parse_condition<Thing>(text);
        claim(condition == kith::parse_condition<Thing>(text), "a condition is read the same again");
        for (const Thing& thing : {Thing(), full}) {
            claim(!(evaluate(condition, thing) && evaluate(!condition, thing)), "no condition holds with its negation");
        }
    } catch (const kith::Error& error) {
        claim(error.code() == kith::Errc::invalid_argument || error.code() == kith::Errc::limit_exceeded, error.what());
        claim(std::string_view(error.what()).find("\n  ") != std::string_view::npos, error.what());
    }
}

/// Bytes as JSON: whatever they are, looking into them does no harm.
void attack_json(std::string_view bytes) {
    Thing thing;
    thing.more = kith::Json{std::string(bytes)};
    static const auto asked = kith::parse_condition<Thing>(
        "more.a[1].b = 'x' or more contains 'a' or array_length(more.a) > 1 or more.\"\" * 2 < 1e3 or more[0][0] is "
        "null");
    const bool found = evaluate(asked, thing);
    claim(found == evaluate(asked, thing), "JSON is read the same again");
    static_cast<void>(kith::json_problem(bytes));
}

void attack(std::string_view bytes) {
    attack_text(bytes);
    attack_json(bytes);
    Choices choices(bytes);
    kith_test::ConditionGrammar grammar(choices);
    const Thing thing = grammar.thing();
    const kith_test::Drawn drawn = grammar.condition(4);
    const auto condition = kith::parse_condition<Thing>(drawn.text);
    claim(evaluate(condition, thing) == (drawn.meaning(thing) == true), drawn.text.c_str());
    claim(!drawn.typed.has_value() || condition == *drawn.typed, drawn.text.c_str());
}

std::vector<std::string> examples() {
    return {"small >= 2 and not note ilike 'owl%' or price * 2 + 1 < weight / -large",
            "tags contain_any ('a', 'it''s') and array_length(marks) between 1 and 3 and shade in ('dark', 100)",
            "((key = note)) or maybe is not null and open and large not in (-9223372036854775808, 1 + 2)",
            "more.a[0].\"b c\" = 'x' and array_length(more) > 2 or more.a contain_all (1, 2.5)",
            R"({"a": [1, {"b": "\u00e4\ud83d\ude00", "c": -1.5e3}], "": true, "d": null})",
            std::string(64, '\x07') + std::string(64, '\x2b')};
}

}  // namespace

const Target condition_target{"condition", attack, examples};

}  // namespace kith_fuzz
