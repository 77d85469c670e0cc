// src/storage/log_follower.cpp — from record to record and from file to file, beside the one that writes them.
#include "kith/storage/log_follower.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "storage/log_file_reader.hpp"

#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

LogFollower::LogFollower(std::filesystem::path directory, const CollectionId& id, std::uint64_t after)
    : directory_(std::move(directory)), id_(id), last_(after) {}
LogFollower::LogFollower(LogFollower&&) noexcept = default;
LogFollower& LogFollower::operator=(LogFollower&&) noexcept = default;
LogFollower::~LogFollower() = default;

Followed LogFollower::follow(const LogVisitor& visit) {
    if (reader_ == nullptr && !open_next_file()) return Followed::behind;
    reader_->refresh();
    for (;;) {
        while (const std::optional<LogRecord> record = read()) {
            if (record->sequence > last_) {
                visit(record->sequence, record->kind, record->payload);
                last_ = record->sequence;
            }
            reader_->pass(*record);
            ++expected_;
        }
        const Next next = look_further();
        if (next == Next::nothing_yet) return Followed::up_to_date;
        if (next == Next::behind) reader_.reset();
        if (reader_ == nullptr && (next == Next::behind || !open_next_file())) return Followed::behind;
    }
}

/// Opens the last file that begins with a record that is needed, or before it; false when there is none.
bool LogFollower::open_next_file() {
    // A file may go while files are listed, or before it is opened. The one that follows it was made before, and may be
    // missing in that listing, but not in the next.
    constexpr int most_tries = 10;
    bool missing = false;
    for (int tries = 0; tries < most_tries; ++tries) {
        const std::vector<LogFile> files = list_log_files(directory_);
        const LogFile* chosen = nullptr;
        for (const LogFile& file : files) {
            if (file.first_sequence <= last_ + 1) chosen = &file;
        }
        if (chosen == nullptr && missing) return false;
        missing = chosen == nullptr;
        if (missing) continue;
        File opened = File::open_if_there(chosen->path);
        if (!opened.is_open()) continue;
        reader_ = std::make_unique<LogFileReader>(std::move(opened), *chosen, id_);
        expected_ = chosen->first_sequence;
        return true;
    }
    return false;
}

/// The whole record at which the reader stands.
std::optional<LogRecord> LogFollower::read() {
    std::optional<LogRecord> record;
    const std::exception_ptr failed = attempt([&] { record = reader_->read(expected_); });
    if (failed == nullptr) return record;
    if (!reader_->shrank()) std::rethrow_exception(failed);
    return std::nullopt;  // a writer took back half a record
}

/// What to do where no whole record stands. To read on is to do so in this file, which was refreshed, or, when there is
/// no reader any more, in the next.
LogFollower::Next LogFollower::look_further() {
    const std::uint64_t wanted = expected_ <= last_ ? last_ + 1 : expected_;
    const auto raise_wrong = [&] {
        reader_->raise_damaged("record " + std::to_string(expected_) + " is wrong, and later ones are there");
    };
    // A listing may miss what comes while it is made; what came before a later file was seen is in the second.
    constexpr int listings = 2;
    for (int listing = 0; listing < listings; ++listing) {
        bool later = false;
        for (const LogFile& file : list_log_files(directory_)) {
            later = later || file.first_sequence > wanted;
            if (file.first_sequence != wanted || wanted == reader_->name().first_sequence) continue;
            // Before that file was made this one was whole, or a recovery had cut it to its last whole record.
            reader_->refresh();
            if (!reader_->at_end()) raise_wrong();
            reader_.reset();
            return Next::read_on;
        }
        if (!later && !reader_->is_removed()) return Next::nothing_yet;
        // The writer made a later file, or removed this one, after the record was whole, if it ever stood here.
        reader_->refresh();
        if (read().has_value()) return Next::read_on;
    }
    if (!reader_->is_removed()) {
        if (!reader_->at_end()) raise_wrong();
        return Next::behind;
    }
    if (wanted != reader_->name().first_sequence) return Next::behind;
    // A writer that could not begin this file after all goes on in the one before.
    reader_.reset();
    return Next::read_on;
}

std::optional<LogTail> LogFollower::tail() {
    if (reader_ == nullptr || reader_->at_end()) return std::nullopt;
    std::optional<LogTail> tail;
    const std::exception_ptr failed = attempt([&] { tail = reader_->tear(expected_); });
    if (failed == nullptr) return tail;
    // Records that were written while the tail was read are no witness.
    reader_->refresh();
    if (!read().has_value() && !reader_->shrank()) std::rethrow_exception(failed);
    return std::nullopt;
}

void LogFollower::raise_missing() const {
    static_cast<void>(first_needed_log_file(list_log_files(directory_), last_, directory_));
    raise(Errc::corrupt, (directory_ / log_file_name(last_ + 1)).string() + " (byte 0): is missing");
}

}  // namespace kith::inline v0::detail
