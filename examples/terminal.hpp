// examples/terminal.hpp — a progress bar and a table for the demo.
#pragma once

#include "word.hpp"

#include <kith/kith.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace terminal {

/// One line that is drawn over itself on a terminal, and printed once when the output goes to a file.
class ProgressBar {
public:
    ProgressBar(const char* label, std::size_t total) : label_(label), total_(total) {}

    void advance_to(std::size_t done) {
        const std::size_t percent = 100 * done / total_;
        if (percent == shown_ || (!on_terminal_ && done < total_)) return;
        shown_ = percent;
        const std::string filled(percent * width / 100, '#');
        std::printf("%s%s [%-*s] %3zu %%", on_terminal_ ? "\r" : "", label_, static_cast<int>(width), filled.c_str(),
                    percent);
        if (done == total_) std::printf("\n");
        std::fflush(stdout);
    }

private:
    static constexpr std::size_t width = 40;

    const char* label_;
    std::size_t total_;
    std::size_t shown_ = ~std::size_t{0};
    bool on_terminal_ = ::isatty(STDOUT_FILENO) == 1;
};

inline void print_table(const std::vector<kith::Hit<demo::Word>>& hits) {
    std::printf("  %-16s %8s %8s\n  %s\n", "word", "rank", "score", std::string(34, '-').c_str());
    for (const auto& hit : hits) {
        std::printf("  %-16s %8d %8.4f\n", hit.record.text.c_str(), hit.record.rank, static_cast<double>(hit.score));
    }
}

}  // namespace terminal
