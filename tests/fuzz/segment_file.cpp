// tests/fuzz/segment_file.cpp — a segment's file under its header: the payload that was written, or an error.
#include "fuzz/target.hpp"
#include "fuzz/temporary_file.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/storage/segment_file.hpp"

#include "support/segment_bytes.hpp"

namespace kith_fuzz {

namespace {

namespace store = kith::detail;

const store::SegmentFileTag tag{{1, 2, 3}, 5, 2};

constexpr std::size_t told = 52;  // bytes of a header that say something

void read(const std::string& bytes) {
    const auto path = folder() / "field.rows";
    kith_test::set_bytes(path, bytes);
    static_cast<void>(refuses([&] {
        const store::SegmentFile file(path, tag);
        file.verify();
        const std::string_view payload(reinterpret_cast<const char*>(file.payload().data()), file.payload().size());
        claim(bytes.size() >= store::segment_payload_offset + payload.size() &&
                  payload == std::string_view(bytes).substr(store::segment_payload_offset, payload.size()),
              "the payload is what stands behind the header");
    }));
}

/// The input with the zeros of a header put in.
std::string whole(std::string_view bytes) {
    std::string file(bytes.substr(0, told));
    file.resize(store::segment_payload_offset, '\0');
    if (bytes.size() > told) file.append(bytes.substr(told));
    return file;
}

void attack(std::string_view bytes) {
    read(std::string(bytes));
    std::string file = whole(bytes);
    read(with_number(file, 4092, kith::crc32c(std::string_view(file).substr(0, 4092))));
    read(kith_test::with_right_checksums(file));
}

std::vector<std::string> examples() {
    std::vector<std::string> made;
    for (const std::string& payload : {std::string(), std::string("payload"), std::string(300, 'p')}) {
        const auto path = folder() / "example.rows";
        store::write_segment_file(path, tag, [&](const kith::ByteSink& sink) { sink(payload.data(), payload.size()); });
        std::string bytes = kith_test::bytes_of(path);
        made.push_back(bytes.erase(told, store::segment_payload_offset - told));
    }
    return made;
}

}  // namespace

const Target segment_file_target{"segment_file", attack, examples};

}  // namespace kith_fuzz
