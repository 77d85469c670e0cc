// benchmarks/ann/table.hpp — numbers as people read them, in a Markdown table whose columns line up in a terminal.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace ann {

/// With so many digits behind the point.
std::string fixed(double value, int digits);

/// Without a fraction, thousands apart: 12,345.
std::string grouped(double value);

/// Empty for what was not measured, which is 0.
std::string unless_zero(double value, int digits);

/// " (2.07×)", or nothing when either is 0.
std::string multiple(double ours, double theirs);

class Table {
public:
    explicit Table(std::vector<std::string> titles);

    /// Requires: as many cells as there are titles.
    void add(std::vector<std::string> cells);

    void write(std::ostream& out) const;

private:
    std::vector<std::vector<std::string>> rows_;  // the titles first
};

}  // namespace ann
