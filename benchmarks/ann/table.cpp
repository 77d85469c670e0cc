// benchmarks/ann/table.cpp — writing numbers and padding cells.
#include "table.hpp"

#include <algorithm>
#include <cstddef>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <utility>

namespace ann {
namespace {

/// As many as a terminal shows: the bytes that begin a character of UTF-8.
std::size_t letters(const std::string& text) {
    const auto begins = [](char letter) { return (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U; };
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

}  // namespace

std::string fixed(double value, int digits) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(digits) << value;
    return out.str();
}

std::string grouped(double value) {
    std::string text = fixed(value, 0);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
    return text;
}

std::string unless_zero(double value, int digits) {
    return value == 0 ? "" : fixed(value, digits);
}

std::string multiple(double ours, double theirs) {
    return ours > 0 && theirs > 0 ? " (" + fixed(ours / theirs, 2) + "×)" : "";
}

Table::Table(std::vector<std::string> titles) {
    rows_.push_back(std::move(titles));
}

void Table::add(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
}

void Table::write(std::ostream& out) const {
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], letters(row[i]));
    }
    for (std::size_t line = 0; line < rows_.size(); ++line) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            out << "| " << rows_[line][i] << std::string(widths[i] - letters(rows_[line][i]) + 1, ' ');
        }
        out << "|\n";
        if (line != 0) continue;
        for (const std::size_t width : widths) out << '|' << std::string(width + 2, '-');
        out << "|\n";
    }
}

}  // namespace ann
