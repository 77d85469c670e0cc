// src/storage/log_writer.cpp — append, sync, rotate, and what happens when one of them fails.
#include "kith/storage/log_writer.hpp"

#include "kith/core/error.hpp"

#include <exception>
#include <utility>

namespace kith::inline v0::detail {

LogWriter::LogWriter(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t next_sequence)
    : directory_(directory), id_(id), next_sequence_(next_sequence), durable_(next_sequence - 1) {
    older_ = list_log_files(directory_);
    if (!older_.empty() && older_.back().first_sequence >= next_sequence_) {
        const LogFile newest = older_.back();
        if (newest.first_sequence > next_sequence_ || newest.bytes != log_header_bytes) {
            raise(Errc::corrupt, newest.path.string() + " holds records after byte " +
                                     std::to_string(log_header_bytes) + ", where record " +
                                     std::to_string(next_sequence_) + " was to be written");
        }
        static_cast<void>(decode_log_header(read_whole_file(newest.path, log_header_bytes), id_, newest));
        older_.pop_back();
    }
    begin_file();
}

void LogWriter::begin_file() {
    const std::string header = encode_log_header(id_, next_sequence_);
    const std::string name = log_file_name(next_sequence_);
    write_file_durably(directory_, name, header);
    File file = File::open_to_write(directory_ / name);
    seed_ = decode_log_header(header, id_, {file.path(), next_sequence_, header.size()});
    file_ = std::move(file);
    first_sequence_ = next_sequence_;
    end_ = header.size();
}

void LogWriter::check_usable() const {
    if (!poisoned_) return;
    raise(Errc::poisoned, directory_.string() + ": an earlier write or sync failed and could not be undone; close " +
                              "the collection and open it again to recover");
}

std::uint64_t LogWriter::append(std::uint8_t kind, std::string_view payload) {
    check_usable();
    if (payload.size() > max_log_payload) {
        raise(Errc::limit_exceeded, "a batch of " + std::to_string(payload.size()) + " bytes was refused; at most " +
                                        std::to_string(max_log_payload) + " can be written at once");
    }
    const std::string header = encode_log_record_header({next_sequence_, durable_, kind, payload}, seed_);
    const std::exception_ptr failed = attempt([&] { file_.write_at(end_, header, payload); });
    if (failed != nullptr) {
        // Later records must follow the last whole one.
        if (attempt([&] { file_.truncate(end_); }) != nullptr) poisoned_ = true;
        std::rethrow_exception(failed);
    }
    end_ += header.size() + payload.size();
    return next_sequence_++;
}

void LogWriter::sync() {
    check_usable();
    if (durable_ + 1 == next_sequence_) return;
    const std::exception_ptr failed = attempt([&] { file_.sync(); });
    if (failed != nullptr) {
        poisoned_ = true;
        std::rethrow_exception(failed);
    }
    durable_ = next_sequence_ - 1;
}

void LogWriter::rotate() {
    sync();
    if (next_sequence_ == first_sequence_) return;
    const std::filesystem::path next = directory_ / log_file_name(next_sequence_);
    LogFile finished{file_.path(), first_sequence_, end_};
    older_.reserve(older_.size() + 1);
    const File names = File::open_to_read(directory_);  // now: to take the file back must not want memory
    const std::exception_ptr failed = attempt([&] { begin_file(); });
    if (failed != nullptr) {
        // Were the new file to stay, records that follow in the old one would seem to stand in the wrong place.
        const std::exception_ptr kept = attempt([&] {
            if (remove_file(next)) sync_directory(names);
        });
        if (kept != nullptr) poisoned_ = true;
        std::rethrow_exception(failed);
    }
    older_.push_back(std::move(finished));
}

std::vector<std::filesystem::path> LogWriter::release_files_before(std::uint64_t sequence) {
    std::size_t count = 0;
    while (count < older_.size()) {
        const std::uint64_t next_first = count + 1 < older_.size() ? older_[count + 1].first_sequence : first_sequence_;
        if (next_first > sequence) break;
        ++count;
    }
    std::vector<std::filesystem::path> released;
    released.reserve(count);
    const auto end = older_.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto file = older_.begin(); file != end; ++file) released.push_back(std::move(file->path));
    older_.erase(older_.begin(), end);
    return released;
}

std::uint64_t LogWriter::bytes() const noexcept {
    std::uint64_t total = end_;
    for (const LogFile& file : older_) total += file.bytes;
    return total;
}

}  // namespace kith::inline v0::detail
