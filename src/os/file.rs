//! Files that others read while they are written.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `bytes` beside `path` and moves them there: whoever looks meanwhile sees the old file or the new one, never a part,
/// and where it fails nothing is left. `mode` is less whatever the process's umask forbids. Waits for no disk: after a crash of
/// the machine either may be there. The folder must exist.
///
/// # Errors
/// Whatever the file system says.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut draft = tempfile::Builder::new()
        .prefix(".drupe-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    draft.write_all(bytes)?;
    draft.persist(path)?;
    Ok(())
}

/// Whether files can be made in this folder.
pub fn is_writable_folder(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    path.is_dir() && access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_new_file_or_the_old_one_and_no_draft() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file.json");
        let names = || -> Vec<_> {
            let entries = fs::read_dir(folder.path()).expect("a folder");
            entries
                .map(|entry| entry.expect("an entry").file_name())
                .collect()
        };
        for (bytes, mode) in [(b"old".as_slice(), 0o600), (b"newer", 0o644)] {
            replace(&path, bytes, mode).expect("written");
            assert_eq!(fs::read(&path).expect("a file"), bytes);
            let found = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(found & 0o777 & !mode, 0, "{found:o} is more than {mode:o}");
            assert_eq!(found & 0o600, 0o600);
            assert_eq!(names(), ["file.json"]);
        }
        let taken = folder.path().join("folder");
        fs::create_dir_all(taken.join("not empty")).expect("a folder");
        assert!(replace(&taken, b"x", 0o600).is_err());
        assert_eq!(names().len(), 2, "no draft stays: {:?}", names());
        assert!(replace(&folder.path().join("missing/file"), b"x", 0o600).is_err());
    }
}
