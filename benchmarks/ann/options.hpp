// benchmarks/ann/options.hpp — what the user asked for on the command line.
#pragma once

#include "measure.hpp"

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace ann {

struct Options {
    std::filesystem::path data;
    std::filesystem::path out = "results";
    std::vector<std::string> sets = {"fashion", "text"};
    std::vector<std::string> contenders;  // empty: all that walk or probe
    std::string peer = "hnswlib";         // what multiples are of
    std::size_t rows = std::numeric_limits<std::size_t>::max();
    std::size_t queries = std::numeric_limits<std::size_t>::max();
    std::size_t batch = 256;  // queries asked at once, by `flat`
    Plan plan;
    bool help = false;
};

/// How to call the program, and what each option does.
extern const char* const usage;

/// Throws: std::invalid_argument in words for the user.
Options parse(int count, const char* const* arguments);

}  // namespace ann
