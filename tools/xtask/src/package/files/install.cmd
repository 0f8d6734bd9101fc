@echo off
rem Installs procmon.sys as the kernel service "procmon" and starts it.
rem May be run again at any time: it then installs this folder's driver anew.
rem
rem   install.cmd          for a driver signed with a test certificate
rem   install.cmd /signed  for a driver whose signature Windows trusts already
rem
rem uninstall.cmd undoes all of it.
setlocal enableextensions
set "FOLDER=%~dp0"
set "DRIVER=%SystemRoot%\System32\drivers\procmon.sys"
set "RECORD=HKLM\SOFTWARE\procmon"
set "SERVICE=HKLM\SYSTEM\CurrentControlSet\Services\procmon"
rem Another find, such as GNU's, may come first on the PATH.
set "FIND=%SystemRoot%\System32\find.exe"

fltmc >nul 2>&1
if errorlevel 1 (
    echo install: not elevated. Right-click install.cmd, "Run as administrator".
    exit /b 5
)
if not exist "%FOLDER%procmon.sys" (
    echo install: procmon.sys is not beside install.cmd. Unpack the whole package.
    exit /b 2
)
rem A service that the INF installed runs from the driver store. Deleting it here
rem would leave the package in the store: only pnputil removes both.
reg query %SERVICE% /v ImagePath 2>nul | "%FIND%" "DriverStore" >nul
if not errorlevel 1 (
    echo install: procmon.inf has installed the service procmon. Remove it first:
    echo   pnputil /enum-drivers
    echo     lists the oemN.inf whose original name is procmon.inf
    echo   sc stop procmon
    echo   pnputil /delete-driver oemN.inf /uninstall
    exit /b 1073
)
if /i "%~1"=="/signed" goto service

rem What this start of Windows allows, whatever bcdedit says of the next one.
reg query HKLM\SYSTEM\CurrentControlSet\Control /v SystemStartOptions 2>nul | "%FIND%" "TESTSIGNING" >nul
if not errorlevel 1 goto certificate
echo install: Windows does not accept test signatures now.
reg query HKLM\SYSTEM\CurrentControlSet\Control\SecureBoot\State /v UEFISecureBootEnabled 2>nul | "%FIND%" "0x1" >nul
if not errorlevel 1 echo   Turn Secure Boot off in the settings of this virtual machine; then, as administrator,
echo   type "bcdedit /set testsigning on", restart Windows, and run install.cmd again.
exit /b 577

:certificate
for %%S in (Root TrustedPublisher) do (
    certutil -store %%S @THUMBPRINT@ >nul 2>&1
    if errorlevel 1 (
        certutil -f -addstore %%S "%FOLDER%procmon.cer" >nul
        if errorlevel 1 (
            echo install: the certificate cannot be added to %%S.
            exit /b 1
        )
        rem Only what was added here is taken away again.
        reg add %RECORD% /v %%S.@THUMBPRINT@ /t REG_SZ /d added /f >nul
        echo install: certificate added to %%S.
    )
)

:service
sc stop procmon >nul 2>&1
sc delete procmon >nul 2>&1
copy /y "%FOLDER%procmon.sys" "%DRIVER%" >nul
if errorlevel 1 (
    echo install: %DRIVER% cannot be written.
    exit /b 5
)
sc create procmon type= kernel start= demand binPath= "%DRIVER%" DisplayName= procmon >nul
set "RESULT=%errorlevel%"
if %RESULT%==1072 echo install: the old service is still held open. Close services.msc and the like.
if not %RESULT%==0 (
    echo install: the service cannot be created, error %RESULT%.
    exit /b %RESULT%
)
sc start procmon >nul
set "RESULT=%errorlevel%"
if %RESULT%==0 goto started
if %RESULT%==1056 goto started
echo install: the driver does not start, error %RESULT%.
echo   README.txt says what it means. "sc start procmon" tries again.
exit /b %RESULT%

:started
echo install: procmon is running. See its lines in DbgView as administrator:
echo   Capture - Capture Kernel, and Capture - Enable Verbose Kernel Output.
exit /b 0
