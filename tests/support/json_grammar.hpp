// tests/support/json_grammar.hpp — random JSON as a tree, as text written in one of many ways, and what paths find in it.
//
// The trees are kept beside their texts, so a meaning is looked up in the tree and never read from the text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace kith_test {

enum class JsonKind { null, boolean, number, text, list, object };

struct JsonTree {
    JsonKind kind = JsonKind::null;
    bool boolean = false;
    double number = 0;
    std::string text{};
    std::vector<JsonTree> parts{};     // the elements of a list, the members of an object
    std::vector<std::string> names{};  // of the members
};

using JsonStep = std::variant<std::string, std::size_t>;

/// What is there: the tree, or null for JSON's null and for nothing.
inline const JsonTree* walk(const JsonTree& root, const std::vector<JsonStep>& path) {
    const JsonTree* at = &root;
    for (const JsonStep& step : path) {
        const auto* name = std::get_if<std::string>(&step);
        if (at->kind != (name == nullptr ? JsonKind::list : JsonKind::object)) return nullptr;
        std::size_t position = 0;
        if (name == nullptr) position = std::get<std::size_t>(step);
        while (name != nullptr && position < at->names.size() && at->names[position] != *name) ++position;
        if (position >= at->parts.size()) return nullptr;
        at = &at->parts[position];
    }
    return at->kind == JsonKind::null ? nullptr : at;
}

/// `Choose` has `std::uint64_t below(std::uint64_t count)`.
template <class Choose>
class JsonGrammar {
public:
    using Trees = std::map<std::string, JsonTree>;

    explicit JsonGrammar(Choose& choose) : choose_(choose) {}

    /// A new text; its tree is kept.
    std::string text() {
        const JsonTree tree = draw(3);
        std::string written = blanks() + write(tree) + blanks();
        trees_->emplace(written, tree);
        return written;
    }

    /// The trees of all texts; a meaning holds on to them.
    [[nodiscard]] std::shared_ptr<const Trees> trees() const { return trees_; }

    /// A path, as it is written and as it leads.
    std::pair<std::string, std::vector<JsonStep>> path() {
        std::pair<std::string, std::vector<JsonStep>> made;
        for (auto left = pick(4); left > 0; --left) {
            if (pick(3) == 0) {
                const auto position = static_cast<std::size_t>(pick(3));
                made.first += (pick(4) == 0 ? " [ " : "[") + std::to_string(position) + "]";
                made.second.emplace_back(position);
            } else {
                const std::string name = names[pick(names.size())];
                const bool plain = name == "a" || name == "b";
                made.first += "." + (plain && pick(2) == 0 ? name : in_quotes(name));
                made.second.emplace_back(name);
            }
        }
        return made;
    }

    /// A text such as the trees hold.
    std::string letters() {
        std::string text;
        for (auto left = pick(3); left > 0; --left) text += pieces[pick(pieces.size())];
        return text;
    }

    double number() { return (static_cast<double>(pick(9)) - 4) * 0.5; }

private:
    static constexpr std::array<const char*, 4> names{"a", "b", "\xc3\xa4\"", ""};
    static constexpr std::array<const char*, 6> pieces{"a", "b", "\xc3\xa4", "'", "\n", "\xf0\x9f\x98\x80"};

    std::uint64_t pick(std::uint64_t count) { return choose_.below(count); }

    static std::string in_quotes(const std::string& name) {
        std::string made = "\"";
        for (const char letter : name) made += letter == '"' ? "\"\"" : std::string(1, letter);
        return made + "\"";
    }

    std::string blanks() { return pick(4) == 0 ? "\n " : ""; }

    JsonTree draw(int depth) {
        switch (pick(depth > 0 ? 7 : 4)) {
            case 0:
                return {};
            case 1:
                return {.kind = JsonKind::boolean, .boolean = pick(2) == 0};
            case 2:
                return {.kind = JsonKind::number, .number = number()};
            case 3:
                return {.kind = JsonKind::text, .text = letters()};
            case 4: {
                JsonTree list{.kind = JsonKind::list};
                for (auto left = pick(4); left > 0; --left) list.parts.push_back(draw(depth - 1));
                return list;
            }
            default: {
                JsonTree object{.kind = JsonKind::object};
                for (auto left = pick(4); left > 0; --left) {
                    object.names.emplace_back(names[pick(names.size())]);
                    object.parts.push_back(draw(depth - 1));
                }
                return object;
            }
        }
    }

    /// A character in one of the ways that JSON has for it.
    std::string write_piece(const std::string& piece) {
        if (piece == "\n") return pick(2) == 0 ? "\\n" : "\\u000A";
        if (piece == "\"") return pick(2) == 0 ? "\\\"" : "\\u0022";
        if (pick(3) > 0) return piece;
        if (piece == "\xc3\xa4") return "\\u00e4";
        if (piece == "\xf0\x9f\x98\x80") return "\\ud83d\\uDE00";
        return piece == "a" ? "\\u0061" : piece;
    }

    std::string write_text(const std::string& text) {
        std::string made = "\"";
        for (std::size_t at = 0; at < text.size();) {
            const auto lead = static_cast<unsigned char>(text[at]);
            const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : 4;
            made += write_piece(text.substr(at, size));
            at += size;
        }
        return made + "\"";
    }

    std::string write_number(double number) {
        const auto halves = static_cast<int>(number * 2);
        const std::string sign = number < 0 ? "-" : "";
        const int size = halves < 0 ? -halves : halves;
        const std::string whole = sign + std::to_string(size / 2);
        if (size % 2 == 1) return pick(2) == 0 ? whole + ".5" : sign + std::to_string(size * 5) + "e-1";
        return pick(3) == 0 ? whole + ".0E+0" : whole;
    }

    std::string write(const JsonTree& tree) {
        if (tree.kind == JsonKind::null) return "null";
        if (tree.kind == JsonKind::boolean) return tree.boolean ? "true" : "false";
        if (tree.kind == JsonKind::number) return write_number(tree.number);
        if (tree.kind == JsonKind::text) return write_text(tree.text);
        const bool object = tree.kind == JsonKind::object;
        std::string made = object ? "{" : "[";
        for (std::size_t at = 0; at < tree.parts.size(); ++at) {
            made += (at == 0 ? "" : ",") + blanks();
            if (object) made += write_text(tree.names[at]) + blanks() + ":";
            made += write(tree.parts[at]);
        }
        return made + blanks() + (object ? "}" : "]");
    }

    Choose& choose_;
    std::shared_ptr<Trees> trees_ = std::make_shared<Trees>();
};

}  // namespace kith_test
