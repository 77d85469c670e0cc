// tests/collection/crash/events.hpp — what a run said of itself, and what follows for the disk it left.
//
//   opening | opened | closing | closed          the collection, by the main thread
//   begin LANE STEP ACT | done LANE STEP         done: it was acknowledged
//   failed LANE STEP CODE                        it raised; whether it is in the collection is open
//   skipped LANE STEP                            it raised, and it is known that it is not in the collection
//   fault KIND PATH                              put in by call_faults.c: a system call failed
//   synced COUNT                                 put in by power_cut.py: what was done in the first COUNT lines is synced
#pragma once

#include "collection/crash/items.hpp"

#include <unistd.h>
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kith_crash {

/// Says a line with one call, so that a recorder sees it as one event and a killed process leaves no half line.
inline void say(std::string line) {
    line += '\n';
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
}

/// What a stop may take away from acknowledged steps.
enum class Loss : std::uint8_t {
    nothing,   // the process died, or the level syncs each commit
    unsynced,  // the power went at a level that syncs later
};

class Events {
public:
    using Positions = std::vector<std::uint64_t>;  // the last step of each lane

    Events(std::uint64_t lanes, Positions from) : done_(std::move(from)) {
        done_.resize(lanes);
        begun_ = synced_ = done_;
        after_.push_back(done_);
    }

    /// Throws: std::runtime_error for a line that says nothing.
    void read(std::istream& lines) {
        for (std::string line; std::getline(lines, line);) read_line(line);
    }

    [[nodiscard]] bool opened() const noexcept { return opened_; }
    /// The last step that may be there.
    [[nodiscard]] std::uint64_t begun(std::uint64_t lane) const { return begun_.at(lane); }
    /// The last step that must be there.
    [[nodiscard]] std::uint64_t floor(std::uint64_t lane, Loss loss) const {
        return loss == Loss::nothing ? done_.at(lane) : synced_.at(lane);
    }
    [[nodiscard]] bool skipped(std::uint64_t lane, std::uint64_t step) const { return skipped_.contains({lane, step}); }
    /// The steps that were acknowledged when `step` of `lane` began, and so stand before it in the log.
    [[nodiscard]] Positions before(std::uint64_t lane, std::uint64_t step) const {
        const auto found = beginnings_.find({lane, step});
        return found == beginnings_.end() ? after_.front() : found->second.first;
    }

private:
    void read_line(const std::string& line) {
        std::istringstream words(line);
        std::string word;
        std::string act;
        std::uint64_t lane = 0;
        std::uint64_t step = 0;
        words >> word;
        if (word == "synced") {
            std::size_t count = 0;
            words >> count;
            raise_floor(after_.at(std::min(count, after_.size() - 1)));
            return;  // no line of the run: not counted
        }
        if (word == "opened") {
            opened_ = true;
        } else if (word == "closing") {
            closing_ = done_;
        } else if (word == "closed") {
            raise_floor(closing_);
        } else if (word == "begin" && words >> lane >> step >> act) {
            begun_.at(lane) = step;
            beginnings_[{lane, step}] = {done_, act};
        } else if (word == "done" && words >> lane >> step) {
            done_.at(lane) = step;
            const auto& [before, done_act] = beginnings_.at({lane, step});
            if (makes_durable(done_act)) raise_floor(before);
        } else if (word == "skipped" && words >> lane >> step) {
            done_.at(lane) = step;
            skipped_.insert({lane, step});
        } else if (word != "opening" && word != "failed" && word != "fault") {
            throw std::runtime_error("no event: " + line);
        }
        after_.push_back(done_);
    }

    void raise_floor(const Positions& positions) {
        for (std::size_t lane = 0; lane < synced_.size(); ++lane) {
            synced_[lane] = std::max(synced_[lane], positions[lane]);
        }
    }

    using Place = std::pair<std::uint64_t, std::uint64_t>;  // lane, step

    bool opened_ = false;
    Positions done_;
    Positions begun_;
    Positions synced_;                                               // on the disk, whatever the level
    Positions closing_;                                              // done_ when a close began
    std::vector<Positions> after_;                                   // done_ after so many lines
    std::map<Place, std::pair<Positions, std::string>> beginnings_;  // done_ when a step began, and its act
    std::set<Place> skipped_;
};

}  // namespace kith_crash
