// kith/query/parse/fault_text.hpp — the mistake of a condition as a person reads it: a sentence, the text, a caret.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/error.hpp"
#include "kith/query/parse/sentence.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

/// How many characters a text has.
constexpr std::size_t count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for (const char byte : text) count += continues_character(byte) ? 0u : 1u;
    return count;
}

/// "condition: " and the sentence; below it the text around the place, and below that a caret under the place.
inline std::string fault_text(std::string_view text, const Fault& fault) {
    constexpr std::size_t before = 40;  // bytes shown in front of the place
    constexpr std::size_t shown = 76;   // bytes shown in all
    std::size_t first = fault.begin > before ? fault.begin - before : 0;
    while (first > 0 && continues_character(text[first])) --first;
    std::size_t last = std::min(text.size(), first + shown);
    while (last < text.size() && continues_character(text[last])) ++last;

    std::string line(text.substr(first, last - first));
    for (char& letter : line) {
        if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = ' ';
    }
    const std::string_view left = first > 0 ? "  …" : "  ";
    const std::size_t end = std::clamp(fault.end, fault.begin, last);
    const std::size_t marked = std::max<std::size_t>(1, count_characters(text.substr(fault.begin, end - fault.begin)));
    std::string said = "condition: " + std::string(fault.sentence.view()) + '\n';
    said.append(left).append(line).append(last < text.size() ? "…\n" : "\n");
    said.append(count_characters(left) + count_characters(text.substr(first, fault.begin - first)), ' ');
    return said + '^' + std::string(marked - 1, '~');
}

[[noreturn]] inline void raise_fault(std::string_view text, const Fault& fault) {
    raise(fault.kind == FaultKind::limit ? Errc::limit_exceeded : Errc::invalid_argument, fault_text(text, fault));
}

}  // namespace kith::inline v0::detail
