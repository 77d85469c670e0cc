// src/storage/log_scan.cpp — a walk over a log that goes on behind damage.
#include "storage/log_scan.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "storage/log_file_reader.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0::detail {

namespace {

class Scanner {
public:
    Scanner(std::uint64_t after, const std::function<void(const LogRecord&)>& visit) : after_(after), visit_(&visit) {
        scan_.last_sequence = after;
    }

    void read(const LogFile& file, const CollectionId& id, bool is_last);

    std::uint64_t expected = 0;  // the next record
    LogScan finished() { return std::move(scan_); }

    /// `ends` says whether it is known which record is the last one lost; if not, the next file tells.
    void hole(LogHole hole, bool ends = true) {
        if (hole.last >= hole.first && hole.last > after_) prefix_ = false;
        scan_.holes.push_back(std::move(hole));
        endless_ = !ends;
    }

    /// A file begins with record `first`.
    void begin_with(std::uint64_t first, const std::filesystem::path& directory) {
        if (endless_) {
            scan_.holes.back().last = first - 1;
        } else if (first > expected) {
            hole({directory.string(), 0, 0, expected, first - 1,
                  "the log goes on with record " + std::to_string(first) + ", not with " + std::to_string(expected)});
        }
        endless_ = false;
        expected = std::max(expected, first);
    }

private:
    std::optional<LogRecord> record_at(std::uint64_t at);
    bool holds_record_at(std::uint64_t at);
    std::optional<std::uint64_t> next_right(std::uint64_t from, std::uint64_t oldest, std::uint64_t newest);
    bool was_durable(std::uint64_t offset, std::uint64_t newest);
    void take(const LogRecord& record);
    void check_header(const LogFile& file, const CollectionId& id);

    std::uint64_t after_;
    const std::function<void(const LogRecord&)>* visit_;
    LogScan scan_;
    bool prefix_ = true;    // no record after after_ was lost so far
    bool endless_ = false;  // the last hole reaches to the end of its file
    FileWindow* window_ = nullptr;
    std::uint32_t seed_ = 0;
};

bool Scanner::holds_record_at(std::uint64_t at) {
    if (window_->size() - at < log_record_header_bytes) return false;
    const std::optional<std::uint32_t> payload = log_payload_bytes(window_->at(at, log_record_header_bytes));
    return payload.has_value() && window_->size() - at - log_record_header_bytes >= *payload;
}

std::optional<LogRecord> Scanner::record_at(std::uint64_t at) {
    if (at > window_->size() || !holds_record_at(at)) return std::nullopt;
    const std::size_t payload = log_payload_bytes(window_->at(at, log_record_header_bytes)).value_or(0);
    return decode_log_record(window_->at(at, log_record_header_bytes + payload), seed_);
}

/// Where the next right record with a sequence from `oldest` to `newest` begins; nothing when there is none.
std::optional<std::uint64_t> Scanner::next_right(std::uint64_t from, std::uint64_t oldest, std::uint64_t newest) {
    constexpr std::size_t sequence_offset = 8;  // on disk
    if (from > window_->size()) return std::nullopt;
    for (std::uint64_t at = from; at + log_record_header_bytes <= window_->size(); ++at) {
        std::uint64_t sequence = 0;  // looked at before the checksum, for it is cheap
        ByteReader reader(window_->at(at, log_record_header_bytes).substr(sequence_offset));
        if (!reader.u64(sequence) || sequence < oldest || sequence > newest) continue;
        if (record_at(at).has_value()) return at;
    }
    return std::nullopt;
}

/// Whether a right record behind `offset` says that the expected one, which does not stand there, was on the disk.
bool Scanner::was_durable(std::uint64_t offset, std::uint64_t newest) {
    for (std::optional<std::uint64_t> at = next_right(offset + 1, expected + 1, newest); at.has_value();) {
        const std::optional<LogRecord> record = record_at(*at);
        if (record->durable >= expected) return true;
        at = next_right(*at + log_record_header_bytes + record->payload.size(), expected + 1, newest);
    }
    return false;
}

void Scanner::take(const LogRecord& record) {
    if (prefix_ && record.sequence > after_) {
        ++scan_.records;
        scan_.last_sequence = record.sequence;
    }
    (*visit_)(record);
}

/// The header can be made again from the identity and the name, so its damage hides no record.
void Scanner::check_header(const LogFile& file, const CollectionId& id) {
    const std::string right = encode_log_header(id, file.first_sequence);
    const auto present = static_cast<std::size_t>(std::min<std::uint64_t>(window_->size(), log_header_bytes));
    const std::string found(window_->at(0, present));
    seed_ = decode_log_header(right, id, {file.path, file.first_sequence, right.size()});
    if (found == right) return;
    const std::exception_ptr failed = attempt([&] { static_cast<void>(decode_log_header(found, id, file)); });
    const std::optional<Error> error = as_error(failed);
    if (error.has_value() && error->code() == Errc::unsupported_version) std::rethrow_exception(failed);
    const auto differs = std::mismatch(found.begin(), found.end(), right.begin());
    const auto offset = static_cast<std::uint64_t>(differs.first - found.begin());
    const std::string what = present < log_header_bytes ? "the file ends inside its header"
                                                        : "its header is not what its name and IDENTITY say";
    // A header is on the disk before any record, so a file without one has lost what it held.
    const std::uint64_t last = present < log_header_bytes ? expected : expected - 1;
    hole({file.path.string(), offset, present - offset, expected, last, what}, present == log_header_bytes);
}

void Scanner::read(const LogFile& file, const CollectionId& id, bool is_last) {
    FileWindow window(File::open_to_read(file.path));
    window_ = &window;
    ++scan_.files;
    scan_.bytes += window.size();
    check_header(file, id);
    std::uint64_t offset = log_header_bytes;
    while (offset < window.size()) {
        const std::optional<LogRecord> record = record_at(offset);
        if (record.has_value() && record->sequence == expected) {
            const std::uint64_t length = log_record_header_bytes + record->payload.size();
            take(*record);
            ++expected;
            offset += length;
            continue;
        }
        // As the log reader has it: there is no room for more records.
        const std::uint64_t newest = expected + (window.size() - offset) / log_record_header_bytes;
        if (is_last && !record.has_value() && !was_durable(offset, newest)) {
            scan_.torn_tail = LogTail{file.path.string(), offset, window.size() - offset, holds_record_at(offset)};
            return;
        }
        const std::uint64_t end = next_right(offset, expected, newest).value_or(window.size());
        const std::optional<LogRecord> next = record_at(end);
        if (!next.has_value()) {
            hole({file.path.string(), offset, end - offset, expected, expected, "no right record stands there"}, false);
            return;
        }
        const std::uint64_t last = next->sequence - 1;
        hole({file.path.string(), offset, end - offset, expected, last,
              end == offset
                  ? "record " + std::to_string(next->sequence) + " stands there, not " + std::to_string(expected)
                  : "no right record stands there"});
        expected = next->sequence;
        offset = end;
    }
}

}  // namespace

LogScan scan_log(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t after,
                 const std::function<void(const LogRecord&)>& visit) {
    Scanner scanner(after, visit);
    const std::vector<LogFile> files = list_log_files(directory);
    if (files.empty()) {
        scanner.hole({directory.string(), 0, 0, after + 1, after + 1, "the log has no file"});
        return scanner.finished();
    }
    std::size_t index = files.size() - 1;
    while (index > 0 && files[index].first_sequence > after + 1) --index;
    scanner.expected = std::min(after + 1, files[index].first_sequence);
    for (; index < files.size(); ++index) {
        const LogFile& file = files[index];
        scanner.begin_with(file.first_sequence, directory);
        scanner.read(file, id, index + 1 == files.size());
    }
    return scanner.finished();
}

}  // namespace kith::inline v0::detail
