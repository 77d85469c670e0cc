// tests/support/condition_grammar.hpp — random conditions: as text, as a naive meaning, and where there is one, in C++.
//
// Whoever draws decides: a random generator, or a fuzzer's bytes. The meaning is worked out from what was drawn and
// shares no code with the library.
#pragma once

#include "support/json_grammar.hpp"
#include "support/number_grammar.hpp"

#include "kith/query.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace kith_test {

using Answer = std::optional<bool>;  // nothing: unknown

/// A condition and what it means.
struct Drawn {
    std::string text;
    std::function<Answer(const Thing&)> meaning;
    std::optional<kith::Condition<Thing>> typed;  // where C++ can say it, and does so here
};

/// `Choose` has `std::uint64_t below(std::uint64_t count)`.
template <class Choose>
class ConditionGrammar : NumberGrammar<Choose> {
    using Numbers = NumberGrammar<Choose>;
    using Numbers::amount;
    using Numbers::calculated;
    using Numbers::drawn_number;
    using Numbers::exact;
    using Numbers::number;
    using Numbers::pick;
    using Numbers::word;

public:
    explicit ConditionGrammar(Choose& choose) : Numbers(choose), json_(choose) {}

    Drawn condition(int depth) {
        if (depth == 0 || pick(4) == 0) return leaf(depth);
        Drawn left = condition(depth - 1);
        if (pick(3) == 0) {
            auto meaning = [inner = left.meaning](const Thing& thing) -> Answer {
                const Answer answer = inner(thing);
                return answer.has_value() ? Answer(!*answer) : std::nullopt;
            };
            std::optional<kith::Condition<Thing>> typed;
            if (left.typed.has_value()) typed = !*left.typed;
            return {word("NOT ") + "(" + left.text + ")", meaning, typed};
        }
        Drawn right = condition(depth - 1);
        const bool both = pick(2) == 0;
        auto meaning = [a = left.meaning, b = right.meaning, both](const Thing& thing) -> Answer {
            const Answer first = a(thing);
            const Answer second = b(thing);
            if (first == !both || second == !both) return !both;
            return first.has_value() && second.has_value() ? Answer(both) : std::nullopt;
        };
        std::optional<kith::Condition<Thing>> typed;
        if (left.typed.has_value() && right.typed.has_value()) {
            typed = both ? *left.typed && *right.typed : *left.typed || *right.typed;
        }
        return {"(" + left.text + ") " + word(both ? "AND" : "OR") + " (" + right.text + ")", meaning, typed};
    }

    Thing thing() {
        Thing made;
        made.key = letters();
        made.small = pick(4) == 0 ? std::numeric_limits<std::int32_t>::max() : number();
        if (pick(3) > 0) made.large = pick(4) == 0 ? std::numeric_limits<std::int64_t>::min() : number();
        made.size = pick(3) == 0 ? ~pick(3) : pick(5);
        made.weight = static_cast<float>(number()) * 0.5f;
        if (pick(3) > 0) made.price = pick(6) == 0 ? std::nan("") : static_cast<double>(number()) * 0.25;
        made.open = pick(2) == 0;
        if (pick(2) == 0) made.maybe = pick(2) == 0;
        if (pick(3) > 0) made.note = letters();
        made.shade = std::array{Shade::dark, Shade::grey, Shade::light}[pick(3)];
        for (auto left = pick(4); left > 0; --left) made.tags.push_back(letters());
        if (pick(3) > 0) {
            made.marks.emplace();
            for (auto left = pick(3); left > 0; --left) made.marks->push_back(number());
        }
        if (pick(5) > 0) made.more = kith::Json{json_.text()};
        return made;
    }

private:
    /// A short text of few letters, so that patterns sometimes match.
    std::string letters() {
        std::string text;
        for (auto left = pick(4); left > 0; --left) {
            text += std::array<const char*, 5>{"a", "b", "A", "\xc3\xa4", "'"}[pick(5)];
        }
        return text;
    }

    static std::string quoted(const std::string& text) {
        std::string made = "'";
        for (const char letter : text) made += letter == '\'' ? "''" : std::string(1, letter);
        return made + "'";
    }

    static const char* symbol(std::uint64_t way) {
        return std::array<const char*, 6>{" = ", "!=", " < ", "<=", " > ", ">= "}[way];
    }

    template <class T>
    static bool stands(std::uint64_t way, const T& left, const T& right) {
        switch (way) {
            case 0:
                return left == right;
            case 1:
                return left != right;
            case 2:
                return left < right;
            case 3:
                return left <= right;
            case 4:
                return left > right;
            default:
                return left >= right;
        }
    }

    template <class Field, class V>
    static kith::Condition<Thing> typed_comparison(Field on, std::uint64_t way, const V& value) {
        switch (way) {
            case 0:
                return on == value;
            case 1:
                return on != value;
            case 2:
                return on < value;
            case 3:
                return on <= value;
            case 4:
                return on > value;
            default:
                return on >= value;
        }
    }

    Drawn leaf(int depth) {
        switch (pick(10)) {
            case 0:
                return number_comparison(depth);
            case 1:
                return text_comparison();
            case 2:
                return pattern();
            case 3:
                return simple_number();
            case 4:
                return list_test();
            case 5:
                return null_test();
            case 6:
                return truth();
            case 7:
                return enumeration();
            case 8:
                return in_json();
            default:
                return length();
        }
    }

    /// Any two numbers; the text says which, the meaning compares them without rounding.
    Drawn number_comparison(int depth) {
        DrawnNumber left = drawn_number(depth + 1);
        DrawnNumber right = drawn_number(depth);
        left.text += " + large";  // so that a column is on the left and no constant is fitted to another's type
        left.meaning = [inner = left.meaning](const Thing& thing) {
            return calculated('+', inner(thing), amount(thing.large));
        };
        const std::uint64_t way = pick(6);
        auto meaning = [a = left.meaning, b = right.meaning, way](const Thing& thing) -> Answer {
            const Amount first = a(thing);
            const Amount second = b(thing);
            if (first.index() == 0 || second.index() == 0) return std::nullopt;
            return stands(way, exact(first), exact(second));
        };
        return {left.text + symbol(way) + right.text, meaning, std::nullopt};
    }

    Drawn simple_number() {
        const std::uint64_t way = pick(6);
        const std::int32_t value = number();
        const std::string shown = std::to_string(value);
        switch (pick(5)) {
            case 0:
                return {"small" + std::string(symbol(way)) + shown,
                        [=](const Thing& thing) -> Answer { return stands(way, thing.small, value); },
                        typed_comparison(kith::field<&Thing::small>, way, value)};
            case 1:
                return {"price" + std::string(symbol(way)) + shown + ".25",
                        [=](const Thing& thing) -> Answer {
                            if (!thing.price.has_value()) return std::nullopt;
                            return stands(way, *thing.price, std::stod(shown + ".25"));
                        },
                        typed_comparison(kith::field<&Thing::price>, way, std::stod(shown + ".25"))};
            case 2:
                return {
                    "weight" + std::string(symbol(way)) + shown,
                    [=](const Thing& thing) -> Answer { return stands(way, thing.weight, static_cast<float>(value)); },
                    typed_comparison(kith::field<&Thing::weight>, way, value)};
            case 3: {
                const std::int32_t other = number();
                return {"large " + word("BETWEEN ") + shown + word(" AND ") + std::to_string(other),
                        [=](const Thing& thing) -> Answer {
                            if (!thing.large.has_value()) return std::nullopt;
                            return *thing.large >= value && *thing.large <= other;
                        },
                        between(kith::field<&Thing::large>, value, other)};
            }
            default: {
                const std::int32_t other = number();
                return {"large " + word("NOT IN ") + "(" + shown + ", " + std::to_string(other) + ")",
                        [=](const Thing& thing) -> Answer {
                            if (!thing.large.has_value()) return std::nullopt;
                            return *thing.large != value && *thing.large != other;
                        },
                        !kith::in(kith::field<&Thing::large>, {value, other})};
            }
        }
    }

    Drawn text_comparison() {
        const std::uint64_t way = pick(6);
        const std::string wanted = letters();
        if (pick(3) == 0) {
            return {"key" + std::string(symbol(way)) + "note",
                    [=](const Thing& thing) -> Answer {
                        if (!thing.note.has_value()) return std::nullopt;
                        return stands(way, thing.key, *thing.note);
                    },
                    typed_comparison(kith::field<&Thing::key>, way, kith::field<&Thing::note>)};
        }
        return {"note" + std::string(symbol(way)) + quoted(wanted),
                [=](const Thing& thing) -> Answer {
                    if (!thing.note.has_value()) return std::nullopt;
                    return stands(way, *thing.note, wanted);
                },
                typed_comparison(kith::field<&Thing::note>, way, wanted)};
    }

    /// What a pattern means, character by character.
    static bool matches(const std::string& text, std::size_t at, const std::vector<std::string>& pattern,
                        std::size_t next) {
        if (next == pattern.size()) return at == text.size();
        const std::size_t size = at < text.size() && static_cast<unsigned char>(text[at]) < 0x80 ? 1 : 2;
        if (pattern[next] == "%") {
            return matches(text, at, pattern, next + 1) ||
                   (at < text.size() && matches(text, at + size, pattern, next));
        }
        if (at == text.size()) return false;
        if (pattern[next] == "_") return matches(text, at + size, pattern, next + 1);
        return text.compare(at, pattern[next].size(), pattern[next]) == 0 &&
               matches(text, at + pattern[next].size(), pattern, next + 1);
    }

    Drawn pattern() {
        std::vector<std::string> parts;
        for (auto left = pick(5); left > 0; --left) {
            parts.emplace_back(std::array<const char*, 7>{"%", "_", "%", "a", "\xc3\xa4", "'", "A"}[pick(7)]);
        }
        std::string pattern;
        for (const std::string& part : parts) pattern += part;
        const bool fold = pick(3) == 0;
        const auto folded = [](std::string text) {
            for (char& letter : text) letter = letter == 'A' ? 'a' : letter;
            return text;
        };
        if (fold) {
            for (std::string& part : parts) part = folded(part);
        }
        auto meaning = [=](const Thing& thing) -> Answer {
            if (!thing.note.has_value()) return std::nullopt;
            return matches(fold ? folded(*thing.note) : *thing.note, 0, parts, 0);
        };
        return {"note " + word(fold ? "ILIKE " : "LIKE ") + quoted(pattern), meaning,
                fold ? ilike(kith::field<&Thing::note>, pattern) : like(kith::field<&Thing::note>, pattern)};
    }

    Drawn list_test() {
        const std::string first = letters();
        const std::string second = letters();
        const bool all = pick(2) == 0;
        auto meaning = [=](const Thing& thing) -> Answer {
            const auto has = [&](const std::string& wanted) {
                for (const std::string& tag : thing.tags) {
                    if (tag == wanted) return true;
                }
                return false;
            };
            return all ? has(first) && has(second) : has(first) || has(second);
        };
        const std::vector<std::string> wanted{first, second};
        return {
            "tags " + word(all ? "CONTAIN_ALL" : "CONTAIN_ANY") + "(" + quoted(first) + "," + quoted(second) + ")",
            meaning,
            all ? contains_all(kith::field<&Thing::tags>, wanted) : contains_any(kith::field<&Thing::tags>, wanted)};
    }

    Drawn null_test() {
        if (pick(2) == 0) {
            return {"price " + word("IS NULL"), [](const Thing& thing) -> Answer { return !thing.price.has_value(); },
                    kith::field<&Thing::price>.is_null()};
        }
        return {"marks " + word("IS NOT NULL"), [](const Thing& thing) -> Answer { return thing.marks.has_value(); },
                !kith::field<&Thing::marks>.is_null()};
    }

    Drawn truth() {
        switch (pick(4)) {
            case 0:
                return {"open", [](const Thing& thing) -> Answer { return thing.open; },
                        kith::field<&Thing::open> == true};
            case 1:
                return {"maybe", [](const Thing& thing) -> Answer { return thing.maybe; },
                        kith::field<&Thing::maybe> == true};
            case 2:
                return {"maybe != open",
                        [](const Thing& thing) -> Answer {
                            if (!thing.maybe.has_value()) return std::nullopt;
                            return *thing.maybe != thing.open;
                        },
                        kith::field<&Thing::maybe> != kith::field<&Thing::open>};
            default:
                return {word("TRUE"), [](const Thing&) -> Answer { return true; }, kith::Condition<Thing>()};
        }
    }

    Drawn enumeration() {
        const std::uint64_t way = pick(6);
        const std::size_t which = static_cast<std::size_t>(pick(3));
        const Shade shade = std::array{Shade::dark, Shade::grey, Shade::light}[which];
        const char* shown =
            std::array<const char*, 6>{"'dark'", "'grey'", "'light'", "-3", "0", "100"}[which + 3 * pick(2)];
        return {"shade" + std::string(symbol(way)) + shown,
                [=](const Thing& thing) -> Answer { return stands(way, thing.shade, shade); },
                typed_comparison(kith::field<&Thing::shade>, way, shade)};
    }

    Drawn length() {
        const std::uint64_t way = pick(6);
        const std::uint64_t wanted = pick(4);
        return {word("ARRAY_LENGTH ") + "( marks )" + symbol(way) + std::to_string(wanted),
                [=](const Thing& thing) -> Answer {
                    if (!thing.marks.has_value()) return std::nullopt;
                    return stands(way, std::uint64_t{thing.marks->size()}, wanted);
                },
                typed_comparison(array_length(kith::field<&Thing::marks>), way, wanted)};
    }

    /// A test of what JSON holds at a path.
    Drawn in_json() {
        const auto drawn = json_.path();
        const std::string written = "more" + drawn.first;
        // The tree at the path when it is of that kind.
        const auto at = [trees = json_.trees(), path = drawn.second](const Thing& thing, JsonKind kind) {
            const JsonTree* found = thing.more.has_value() ? walk(trees->at(thing.more->text), path) : nullptr;
            return found != nullptr && found->kind == kind ? found : nullptr;
        };
        kith::JsonRef<&Thing::more> typed;
        for (const JsonStep& step : drawn.second) {
            typed = std::visit([&typed](const auto& one) { return typed[one]; }, step);
        }
        const std::uint64_t way = pick(6);
        const std::string text = json_.letters();
        const double wanted = json_.number();
        switch (pick(5)) {
            case 0:
                return {written + symbol(way) + quoted(text),
                        [=](const Thing& thing) -> Answer {
                            const JsonTree* found = at(thing, JsonKind::text);
                            return found == nullptr ? Answer() : stands(way, found->text, text);
                        },
                        typed_comparison(typed, way, text)};
            case 1:
                return {written + symbol(way) + std::to_string(wanted),
                        [=](const Thing& thing) -> Answer {
                            const JsonTree* found = at(thing, JsonKind::number);
                            return found == nullptr ? Answer() : stands(way, found->number, wanted);
                        },
                        typed_comparison(typed, way, wanted)};
            case 2:
                return {written + word(" IS NULL"),
                        [=](const Thing& thing) -> Answer {
                            return !at(thing, JsonKind::boolean) && !at(thing, JsonKind::number) &&
                                   !at(thing, JsonKind::text) && !at(thing, JsonKind::list) &&
                                   !at(thing, JsonKind::object);
                        },
                        typed.is_null()};
            case 3:
                return {written + word(" CONTAINS ") + quoted(text),
                        [=](const Thing& thing) -> Answer {
                            const JsonTree* list = at(thing, JsonKind::list);
                            if (list == nullptr) return std::nullopt;
                            for (const JsonTree& element : list->parts) {
                                if (element.kind == JsonKind::text && element.text == text) return true;
                            }
                            return false;
                        },
                        contains(typed, text)};
            default:
                return {written + " = open",
                        [=](const Thing& thing) -> Answer {
                            const JsonTree* found = at(thing, JsonKind::boolean);
                            return found == nullptr ? Answer() : found->boolean == thing.open;
                        },
                        typed == kith::field<&Thing::open>};
        }
    }

    JsonGrammar<Choose> json_;
};

}  // namespace kith_test
